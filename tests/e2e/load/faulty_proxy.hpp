#pragma once
// A small proxy that does one thing wrong, to see that the checker notices.
#include <map>
#include <string>
#include <vector>

#include "network.hpp"
#include "sip_text.hpp"

namespace load {

enum class Fault {
  None,
  SwallowFinal,
  ChangeFinal,
  SecondFinal,
  PassFailureOn,
  SwallowCancel,
  RefuseCancel,
  CancelElsewhere,
  CancelOtherBranch,
  CancelOtherSentBy,
  CancelOtherUri,
  CancelOtherNumber,
  CancelUnasked,
  CancelStaysHere,
  InviteTwice,
  SameGatewayAgain,
  SwallowAck,
  AckOtherUri,
  AckElsewhere,
  RefuseBye,
  ByeElsewhere,
  Overtake
};
struct FaultName {
  Fault fault;
  const char* name;
  std::string failure;                    // what the checker must call it
  std::vector<std::string> besides = {};  // what follows from it; every other counter must stay at zero
};

inline const std::vector<FaultName>& faults() {
  static const std::vector<FaultName> list = {
      {Fault::None, "does nothing wrong", ""},
      {Fault::SwallowFinal, "swallows final responses", "no final response", {"missing ACK"}},
      {Fault::ChangeFinal, "changes a final response", "wrong final response"},
      {Fault::SecondFinal, "sends a second final response", "second final response"},
      {Fault::PassFailureOn, "tries no other gateway", "wrong final response"},
      {Fault::SwallowCancel, "swallows CANCEL", "CANCEL unanswered", {"rings on", "no final response"}},
      {Fault::RefuseCancel, "answers CANCEL with 481", "CANCEL answered other than 200"},
      {Fault::CancelElsewhere, "sends CANCEL to another gateway", "CANCEL without INVITE", {"rings on", "no final response"}},
      {Fault::CancelOtherBranch, "changes the branch of CANCEL", "CANCEL with other name", {"rings on", "no final response"}},
      {Fault::CancelOtherSentBy, "changes the sent-by of CANCEL", "CANCEL with other name"},
      {Fault::CancelOtherUri, "changes the Request-URI of CANCEL", "CANCEL with other name"},
      {Fault::CancelOtherNumber, "changes the CSeq of CANCEL", "CANCEL with other name"},
      {Fault::CancelUnasked, "cancels what nobody cancelled", "CANCEL nobody asked for", {"wrong final response"}},
      {Fault::CancelStaysHere, "answers CANCEL and does nothing", "rings on", {"no final response"}},
      {Fault::InviteTwice, "forwards INVITE twice", "INVITE forwarded twice", {"rings on", "missing ACK", "overtaken"}},
      {Fault::SameGatewayAgain, "fails over to the same gateway", "INVITE forwarded twice"},
      {Fault::SwallowAck, "swallows ACK", "missing ACK"},
      {Fault::AckOtherUri, "changes the Request-URI of ACK", "ACK astray", {"missing ACK"}},
      {Fault::AckElsewhere, "sends ACK to another gateway", "ACK astray", {"missing ACK"}},
      {Fault::RefuseBye, "refuses BYE", "BYE failed"},
      {Fault::ByeElsewhere, "sends BYE to another gateway", "BYE failed"},
      {Fault::Overtake, "lets 200 overtake 180", "overtaken"},
  };
  return list;
}

class FaultyProxy {
 public:
  FaultyProxy(Network& network, std::vector<std::uint16_t> gateways, Fault fault);
  [[nodiscard]] std::uint16_t port() const { return network_.port(socket_); }

 private:
  void on_packet(std::string_view bytes, std::uint16_t from);
  void on_invite(const Text& text, std::string_view bytes);
  void on_cancel(std::string_view bytes, std::uint16_t from);
  void on_response(const Text& text, std::string_view bytes);
  bool fails_over(const Text& text);
  // The same name for INVITE, CANCEL and ACK of one transaction; `suffix` tells branches apart.
  void forward(std::string_view bytes, std::uint16_t gateway, std::string_view suffix = "");
  void reply(std::string_view request, std::uint16_t to, int status);
  [[nodiscard]] std::uint16_t gateway_of(const Text& text) const;
  [[nodiscard]] std::uint16_t another(std::uint16_t gateway) const;

  Network& network_;
  const std::vector<std::uint16_t> gateways_;
  const Fault fault_;
  std::size_t socket_ = 0;
  std::map<std::string, std::string> invites_;  // Call-ID, INVITE as it came: those that have not failed over yet
};

}  // namespace load
