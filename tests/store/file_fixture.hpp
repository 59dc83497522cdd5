#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "store/record_types.hpp"

namespace perdure::store {

// A store in a file of a folder of its own.
class FileTest : public testing::Test {
 protected:
  FileTest() {
    char name[] = "/tmp/perdure-store-XXXXXX";
    folder = ::mkdtemp(name);
    options = test_options();
    options.path = folder / "live";
    options.max_bytes = 1 << 20;
  }
  ~FileTest() override { std::filesystem::remove_all(folder); }

  [[nodiscard]] std::unique_ptr<Store> open() const {
    auto store = Store::open(options);
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  // The message with which the store is refused, empty if it is not.
  [[nodiscard]] std::string refusal() const {
    auto store = Store::open(options);
    return store ? "" : store.error().message;
  }
  static RecordId add(Store& store, std::uint64_t number, std::string_view text) {
    Partition& partition = store.partition(static_cast<std::uint32_t>(number % store.partition_count()));
    const RecordId id = partition.reserve<TestHeader>();
    EXPECT_NE(id, RecordId::none);
    partition.create(id, TestHeader{number, 2 * number, partition.write(text), {}, {}});
    return id;
  }
  static std::map<std::uint64_t, std::string> contents(const Store& store) {
    std::map<std::uint64_t, std::string> found;
    for (std::uint32_t i = 0; i < store.partition_count(); ++i)
      store.partition(i).for_each<TestHeader>(
          [&](RecordId, const TestHeader& header) { found[header.number] = store.partition(i).read(header.first); });
    return found;
  }
  [[nodiscard]] std::string bytes() const {
    std::ostringstream text;
    text << std::ifstream(options.path, std::ios::binary).rdbuf();
    return text.str();
  }
  void set_bytes(std::string_view text) const { std::ofstream(options.path, std::ios::binary) << text; }
  // Overwrites bytes of the live file.
  void patch(std::uint64_t offset, std::string_view text) const {
    std::fstream file(options.path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file << text;
  }
  template <class T>
  void patch_value(std::uint64_t offset, T value) const {
    patch(offset, {reinterpret_cast<const char*>(&value), sizeof value});
  }

  std::filesystem::path folder;
  Options options;
};

}  // namespace perdure::store
