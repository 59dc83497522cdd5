#include "app/call_command.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <cstdio>
#include <fstream>

#include "admin/rpc_client.hpp"

namespace perdure::app {
namespace {

using admin::Json;

constexpr Duration answer_deadline = 15s;

// Of what our own server has encoded; empty if it is no base64.
std::string from_base64(const std::string& text) {
  std::string out(text.size() / 4 * 3 + 1, '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0) return {};
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  out.resize(static_cast<std::size_t>(length) - padding);
  return out;
}

}  // namespace

int show_call(const ClientOptions& options, const std::string& call_id, const std::string& pcap) {
  auto client = connect(options);
  if (!client) return complain(options, {admin::rpc_code::failed, client.error().message});
  const char* const form = !pcap.empty() ? "pcap" : options.json ? "messages" : "ladder";
  const auto answer = client->call("trace.call", Json::array({call_id, form}), answer_deadline);
  if (!answer) return complain(options, answer.error());
  if (pcap.empty()) {
    fmt::print("{}", options.json ? admin::to_text(*answer, 2) + '\n' : answer->get<std::string>());
    return 0;
  }
  std::ofstream file(pcap, std::ios::binary);
  file << from_base64(answer->get<std::string>());
  file.close();
  if (!file) return complain(options, {admin::rpc_code::failed, pcap + ": cannot be written"});
  return 0;
}

}  // namespace perdure::app
