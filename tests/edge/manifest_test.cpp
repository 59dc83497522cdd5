#include "edge/manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace perdure::edge {
namespace {

using testing::HasSubstr;

Manifest writes(std::uint32_t layout, std::vector<std::uint32_t> reads = {}) {
  return {"1.0", {{"store", 1, {}}, {"call", layout, std::move(reads)}}};
}

TEST(Manifest, IsReadAsItWasWritten) {
  const auto text = writes(3, {2, 1}).text();
  EXPECT_EQ(text, "version 1.0\nlayout store 1\nlayout call 3 2 1\n");
  const auto read = Manifest::parse(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->text(), text);
}

TEST(Manifest, LinesOfLaterVersionsAreSkipped) {
  const auto read = Manifest::parse("colour blue\nversion 2\n\nlayout call 1\nlayouts 7\n");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->text(), "version 2\nlayout call 1\n");
}

TEST(Manifest, NonsenseIsRefused) {
  for (const char* text : {"", "version 1\n", "layout call 1\n", "version 1\nlayout call\n", "version 1\nlayout call one\n",
                           "version 1\nlayout call 1 -2\n", "version 1\nlayout call 99999999999\n"})
    EXPECT_FALSE(Manifest::parse(text)) << text;
  EXPECT_FALSE(Manifest::parse("version 1\nlayout call 1\n" + std::string(1 << 20, 'x')));
}

TEST(Manifest, ReadsWhatItWritesAndWhatItSays) {
  EXPECT_TRUE(writes(2).reads_all_of(writes(2)));
  EXPECT_TRUE(writes(3, {2}).reads_all_of(writes(2)));
  const auto older = writes(2).reads_all_of(writes(3, {2}));
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().message, "records of kind call have layout 3, and it reads only 2");
  const auto lacks = Manifest{"1", {{"store", 1, {}}}}.reads_all_of(writes(1));
  ASSERT_FALSE(lacks);
  EXPECT_THAT(lacks.error().message, HasSubstr("knows no records of kind call"));
  // A kind that only the new one has is no hindrance.
  EXPECT_TRUE(writes(1).reads_all_of(Manifest{"1", {{"store", 1, {}}}}));
}

}  // namespace
}  // namespace perdure::edge
