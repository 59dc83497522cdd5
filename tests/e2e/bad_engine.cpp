// Programs that an upgrade must not end with; which one, the name of its file says: crashes, hangs, foreign (knows other layouts only).
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "edge/channel.hpp"
#include "edge/descriptor_channel.hpp"
#include "edge/manifest.hpp"

namespace {

using perdure::edge::Channel;
using perdure::edge::DescriptorChannel;
using perdure::edge::Manifest;
using perdure::edge::Message;

const Manifest foreign{"99", {{"store", 7, {}}, {"transaction", 99, {}}}};

int descriptor_of(const char* option, int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i)
    if (argv[i] == std::string(option)) return std::atoi(argv[i + 1]);
  return -1;
}

// Says what it knows. A word beyond that must not come; if it does, a file beside the program tells.
void be_foreign(Channel& channel, const std::string& program) {
  (void)channel.send(Message::Initialised, foreign.text());
  while (channel.fill()) {
    if (const auto received = channel.take()) std::ofstream(program + ".was-told") << static_cast<int>(received->type);
    ::usleep(1000);
  }
}

// The same as an edge that is to take over.
void be_foreign(DescriptorChannel& channel, const std::string& program) {
  (void)channel.send("ready", foreign.text());
  while (!channel.ended()) {
    if (const auto received = channel.receive(); received && received->type == "go") std::ofstream(program + ".was-told") << "go";
    ::usleep(1000);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string program = argv[0], name = std::filesystem::path(program).filename().string();
  const int engine = descriptor_of("--channel", argc, argv), edge = descriptor_of("--take-over", argc, argv);
  if (name == "crashes" || (engine < 0 && edge < 0)) std::abort();
  if (name == "hangs")
    for (;;) ::pause();
  if (engine >= 0) {
    Channel channel(engine);
    be_foreign(channel, program);
  } else {
    DescriptorChannel channel(edge);
    be_foreign(channel, program);
  }
  return 1;
}
