#include "app/trace_methods.hpp"

#include <openssl/evp.h>

#include <string>
#include <string_view>

#include "trace/call.hpp"

namespace perdure::app {
namespace {

using admin::Json;
using admin::rpc_fail;
using admin::RpcResult;

constexpr std::size_t messages_max = 1000;

std::string base64(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

Json message_json(const trace::StoredEntry& stored) {
  const auto& entry = stored.entry;
  if (entry.kind == trace::EntryKind::Start) return {{"kind", "start"}, {"at_us", entry.wall_us}, {"text", stored.bytes}};
  return {{"kind", entry.kind == trace::EntryKind::Received ? "received" : "sent"},
          {"at_us", entry.wall_us},
          {"transport", name(entry.transport)},
          {"remote", entry.remote.text()},
          {"local", entry.local.text()},
          {"text", stored.bytes}};
}

RpcResult call(const engine::Engine& engine, const Json& params) {
  const Json &call_id = admin::parameter(params, 0, "call_id"), &form = admin::parameter(params, 1, "form");
  if (!call_id.is_string())
    return rpc_fail("the parameters are: Call-ID, and `messages`, `ladder` or `pcap`", admin::rpc_code::invalid_params);
  if (!engine.trace()) return rpc_fail("messages are not kept: the configuration has no trace.bytes");
  const auto id = call_id.get<std::string>();
  const auto entries = trace::messages_of(*engine.trace(), id, messages_max);
  if (entries.empty()) return rpc_fail("there is no message with this Call-ID, or none any more");
  if (form == "ladder") return Json(trace::ladder(entries));
  if (form == "pcap") return Json(base64(trace::pcap(entries)));
  if (!form.is_null() && form != "messages") return rpc_fail("the form is `messages`, `ladder` or `pcap`", admin::rpc_code::invalid_params);
  Json messages = Json::array();
  for (const auto& one : entries) messages.push_back(message_json(one));
  return messages;
}

}  // namespace

void add_trace_methods(admin::MethodTable& methods, engine::Engine& engine) {
  methods.add("trace.call", [&engine](const Json& params) { return call(engine, params); });
}

}  // namespace perdure::app
