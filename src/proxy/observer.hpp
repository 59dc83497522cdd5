#pragma once
// What the core tells whoever counts and measures; it has no clock of its own. Called in the middle of its work: an observer only notes.
#include <cstdint>

#include "base/socket_address.hpp"
#include "base/time.hpp"
#include "sip/method.hpp"

namespace perdure::proxy {

class Observer {
 public:
  virtual ~Observer() = default;

  // A message that could be parsed.
  virtual void on_request(sip::Method) {}
  virtual void on_response(std::uint16_t /*status*/) {}
  // A client transaction begins, ends by a response (a provisional one does not end it), or without any.
  virtual void on_branch(const SocketAddress& /*destination*/) {}
  virtual void on_branch_response(const SocketAddress& /*destination*/, std::uint16_t /*status*/) {}
  virtual void on_branch_timeout(const SocketAddress& /*destination*/) {}
  // The first 18x of an INVITE, and the final response of a server transaction, with the time since its request.
  virtual void on_ringing(Duration) {}
  virtual void on_final_response(sip::Method, std::uint16_t /*status*/, Duration) {}
  virtual void on_stateless_reply(std::uint16_t /*status*/) {}
  // Around the change of a transaction in the store. The end does not come when there was no room.
  virtual void on_commit_begin() {}
  virtual void on_commit_end() {}
};

}  // namespace perdure::proxy
