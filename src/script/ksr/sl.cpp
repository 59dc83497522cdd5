// KSR.sl: replies.
#include <algorithm>

#include "script/ksr/function.hpp"

namespace perdure::script {
namespace {

std::uint16_t code_of(std::int64_t number) {
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(number, 0, 999));
}

int send_reply(Call& call) {
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

constexpr auto integer = Returns::Integer;

const Function table[] = {
    {"sl", "send_reply", "int code, string reason", integer, routes::answering,
     "Answers the request, with the transaction if there is one. An ACK is never answered: -1.", "", send_reply},
    {"sl", "sl_send_reply", "int code, string reason", integer, routes::answering, "Answers the request without a transaction.",
     "If there is a transaction it is answered as by send_reply, because nobody else would end it.", send_reply},
    {"sl", "sl_reply_error", "", integer, routes::answering, "Answers 500 Server Internal Error.",
     "If the request has been answered or relayed already, nothing is sent.", reply_error},
    {"sl", "sl_forward_reply", "", integer, routes::reply, "A reply without a transaction goes where its next Via says.",
     "That is what happens anyway when the callback ends, unless it drops the reply.",
     [](Call& call) {
       call.context().drop = false;
       return 1;
     }},
};

}  // namespace

std::span<const Function> sl_functions() {
  return table;
}

}  // namespace perdure::script
