#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/time.hpp"
#include "proxy/proxy.hpp"
#include "proxy/routing_context.hpp"
#include "proxy/work.hpp"
#include "sip/edits.hpp"
#include "sip/message.hpp"

namespace perdure::proxy {

// Everything one run of a route needs, reused by nesting depth so that the steady state allocates nothing.
struct Frame {
  explicit Frame(Proxy& proxy) : context(proxy) {
    context.own_work = &work;
    context.frame = this;
  }
  sip::Message message;
  sip::Edits edits, branch_edits;
  Received received;
  RoutingContext context;
  Work work;
  std::string scratch;
  std::string kept;     // the message of a run that waits: what it was received into is needed for others
  std::string applied;  // the message with changes that the script has applied
};

// A run that waits.
struct Wait {
  std::unique_ptr<Frame> frame;
  Time deadline;
  std::uint32_t nonce = 0;  // of its transaction
};

}  // namespace perdure::proxy
