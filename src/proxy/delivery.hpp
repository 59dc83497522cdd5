#pragma once
// How a script wants messages of a transaction to use connections: bits of transaction::Switch.
#include "proxy/outputs.hpp"
#include "transaction/record.hpp"

namespace perdure::proxy {

inline Send to_caller(Send send, std::uint16_t switches, std::uint16_t status) {
  send.may_connect = (switches & transaction::no_reply_connect) == 0;
  send.closes = status >= 200 && (switches & transaction::reply_closes) != 0;
  return send;
}

inline Send to_next_hop(Send send, std::uint16_t switches) {
  send.may_connect = (switches & transaction::no_forward_connect) == 0;
  send.closes = (switches & transaction::forward_closes) != 0;
  return send;
}

}  // namespace perdure::proxy
