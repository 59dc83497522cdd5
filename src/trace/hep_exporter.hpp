#pragma once
// Sends what workers write into their rings to a collector, from a thread of its own: no worker waits for it, and it outlives engines.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "trace/hep.hpp"
#include "trace/ring_file.hpp"

namespace perdure::trace {

class HepExporter {
 public:
  // `path`: the file of the rings, which need not be there yet. Begins with what is written from now on. options.collector is there.
  HepExporter(std::string path, HepOptions options);
  ~HepExporter();
  HepExporter(const HepExporter&) = delete;
  HepExporter& operator=(const HepExporter&) = delete;

  struct Counters {
    std::uint64_t sent = 0, lost_bytes = 0 /* overwritten before they were sent */, errors = 0;
  };
  [[nodiscard]] Counters counters() const;

 private:
  void run(const std::stop_token& stop);
  void look_for_file();
  void export_new();
  void flush();
  [[nodiscard]] bool connect();
  void send_datagrams();
  void send_stream();
  void fail_connection();

  const std::string path_;
  const HepOptions options_;
  std::unique_ptr<RingFile> file_;
  std::vector<RingReader> readers_;
  bool known_file_ = false;        // the first one is read from its end, later ones from their begin
  std::string out_;                // packets
  std::vector<std::size_t> ends_;  // where each of them ends
  int socket_ = -1;
  std::int64_t next_attempt_us_ = 0, next_look_us_ = 0;
  std::atomic<std::uint64_t> sent_{0}, lost_bytes_{0}, errors_{0};
  std::jthread thread_;
};

}  // namespace perdure::trace
