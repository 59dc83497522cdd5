// KSR.sl: replies.
#include <algorithm>

#include "script/ksr/uri_access.hpp"
#include "sip/chars.hpp"

namespace perdure::script {
namespace {

std::uint16_t code_of(std::int64_t number) {
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(number, 0, 999));
}

int send_reply(Call& call) {
  if (!is_one_line(call.text(1))) return call.fail("a line break cannot stand there");
  call.run.save();
  return call.context().send_reply(code_of(call.number(0)), call.text(1));
}

// t_relay and its kin answer their own errors: one message gets one answer.
int reply_error(Call& call) {
  auto& context = call.context();
  if (context.finished || context.is_canceled()) return 1;
  call.run.save();
  return context.send_reply(500, "Server Internal Error");
}

// Another code of the same class, where no transaction stands on the one that came.
int forward_reply(Call& call) {
  auto& context = call.context();
  context.drop = false;
  if (call.text(0).empty()) return 1;
  const auto code = sip::chars::number<std::uint16_t>(call.text(0));
  const auto came = call.message().status();
  if (!code || *code / 100 != came / 100) return call.fail("\"" + std::string(call.text(0)) + "\" is no code of the class of the reply");
  if (!is_one_line(call.text(1))) return call.fail("a line break cannot stand there");
  if (context.work) return *code == came ? 1 : -1;
  context.edits->set_status(*code, call.text(1).empty() ? call.message().reason() : call.text(1));
  return 1;
}

constexpr auto integer = Returns::Integer;

const Function table[] = {
    {"sl", "send_reply", "int code, string reason", integer, routes::answering,
     "Answers the request, with the transaction if there is one. An ACK is never answered: -1.", "", send_reply},
    {"sl", "sl_send_reply", "int code, string reason", integer, routes::answering, "Answers the request without a transaction.",
     "If there is a transaction it is answered as by send_reply, because nobody else would end it.", send_reply},
    {"sl", "sl_reply_error", "", integer, routes::answering, "Answers 500 Server Internal Error.",
     "If the request has been answered or relayed already, nothing is sent.", reply_error},
    {"sl", "sl_forward_reply", "[string code], [string reason]", integer, routes::reply,
     "A reply without a transaction goes where its next Via says, with another code of the same class if one is given.",
     "It leaves when the callback ends, as every reply does that is not dropped. A reply of a transaction keeps its code: -1.",
     forward_reply},
};

}  // namespace

std::span<const Function> sl_functions() {
  return table;
}

}  // namespace perdure::script
