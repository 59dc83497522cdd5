#pragma once
// A small proxy that does one thing wrong, to see that the checker notices.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "network.hpp"
#include "sip_text.hpp"

namespace load {

enum class Fault {
  None,
  SwallowFinal,
  ChangeFinal,
  SwallowCancel,
  RefuseCancel,
  CancelElsewhere,
  CancelOtherBranch,
  CancelOtherUri,
  CancelStaysHere,
  InviteTwice,
  SwallowAck,
  RefuseBye,
  Overtake
};
struct FaultName {
  Fault fault;
  const char* name;
  const char* failure;  // what the checker must call it
};
inline constexpr FaultName faults[] = {
    {Fault::None, "none", ""},
    {Fault::SwallowFinal, "swallows final responses", "no final response"},
    {Fault::ChangeFinal, "changes a final response", "wrong final response"},
    {Fault::SwallowCancel, "swallows CANCEL", "CANCEL unanswered"},
    {Fault::RefuseCancel, "answers CANCEL with 481", "CANCEL answered other than 200"},
    {Fault::CancelElsewhere, "sends CANCEL to another gateway", "CANCEL without INVITE"},
    {Fault::CancelOtherBranch, "changes the branch of CANCEL", "CANCEL with other name"},
    {Fault::CancelOtherUri, "changes the Request-URI of CANCEL", "CANCEL with other name"},
    {Fault::CancelStaysHere, "answers CANCEL and does nothing", "rings on"},
    {Fault::InviteTwice, "forwards INVITE twice", "INVITE forwarded twice"},
    {Fault::SwallowAck, "swallows ACK", "missing ACK"},
    {Fault::RefuseBye, "refuses BYE", "BYE failed"},
    {Fault::Overtake, "lets 200 overtake 180", "overtaken"},
};

class FaultyProxy {
 public:
  FaultyProxy(Network& network, std::vector<std::uint16_t> gateways, Fault fault)
      : network_(network), gateways_(std::move(gateways)), fault_(fault) {
    socket_ = network_.open(0, [this](std::string_view bytes, std::uint16_t from) { on_packet(bytes, from); });
  }
  [[nodiscard]] std::uint16_t port() const { return network_.port(socket_); }

 private:
  void on_packet(std::string_view bytes, std::uint16_t from) {
    const Text text(bytes);
    if (text.is_response()) return on_response(text, bytes);
    const auto method = text.method();
    const auto gateway = gateways_[std::hash<std::string_view>{}(text.header("Call-ID")) % gateways_.size()];
    if (method == "CANCEL") return on_cancel(text, bytes, from, gateway);
    if (method == "ACK" && fault_ == Fault::SwallowAck) return;
    if (method == "BYE" && fault_ == Fault::RefuseBye) return reply(bytes, from, 481);
    forward(text, bytes, gateway, "");
    if (method == "INVITE" && fault_ == Fault::InviteTwice) forward(text, bytes, gateway, "again");
  }

  void on_cancel(const Text& text, std::string_view bytes, std::uint16_t from, std::uint16_t gateway) {
    if (fault_ == Fault::SwallowCancel) return;
    reply(bytes, from, fault_ == Fault::RefuseCancel ? 481 : 200);
    if (fault_ == Fault::CancelStaysHere) return;
    std::string out(bytes);
    if (fault_ == Fault::CancelOtherUri) out.replace(out.find("sip:bob"), 7, "sip:eve");
    if (fault_ == Fault::CancelElsewhere)
      for (const auto other : gateways_)
        if (other != gateway) {
          gateway = other;
          break;
        }
    forward(Text(out), out, gateway, fault_ == Fault::CancelOtherBranch ? "other" : "");
    (void)text;
  }

  void on_response(const Text& text, std::string_view bytes) {
    const auto vias = text.headers("Via");
    if (vias.size() < 2 || text.cseq_method() == "CANCEL") return;
    const bool invite = text.cseq_method() == "INVITE";
    if (invite && text.status() >= 200 && fault_ == Fault::SwallowFinal) return;
    std::string out(bytes);
    const auto at = out.find("Via: ");
    out.erase(at, out.find("\r\n", at) + 2 - at);
    if (invite && text.status() >= 400 && fault_ == Fault::ChangeFinal) out.replace(8, 3, "500");
    std::uint16_t port = 0;
    const auto host = vias[1].find("127.0.0.1:") + 10;
    std::from_chars(vias[1].data() + host, vias[1].data() + vias[1].size(), port);
    if (invite && text.status() == 180 && fault_ == Fault::Overtake) {
      network_.after(milliseconds(30), [this, port, out] { network_.send(socket_, port, out); });
      return;
    }
    network_.send(socket_, port, out);
  }

  // The same name for INVITE, CANCEL and ACK of one transaction.
  void forward(const Text& text, std::string_view bytes, std::uint16_t gateway, std::string_view suffix) {
    std::string out(bytes);
    std::string added = "Via: SIP/2.0/UDP 127.0.0.1:" + std::to_string(port()) + ";branch=z9hG4bKr" + std::string(text.branch()) +
                        std::string(suffix) + "\r\n";
    if (text.method() == "INVITE") added += "Record-Route: <sip:127.0.0.1:" + std::to_string(port()) + ";lr>\r\n";
    out.insert(out.find("\r\n") + 2, added);
    network_.send(socket_, gateway, out);
  }

  void reply(std::string_view request, std::uint16_t to, int status) {
    const Text text(request);
    std::string out = "SIP/2.0 " + std::to_string(status) + " X\r\n";
    for (const auto* name : {"Via", "From", "To", "Call-ID", "CSeq"})
      for (const auto value : text.headers(name)) out += std::string(name) + ": " + std::string(value) + "\r\n";
    network_.send(socket_, to, out + "Content-Length: 0\r\n\r\n");
  }

  Network& network_;
  const std::vector<std::uint16_t> gateways_;
  const Fault fault_;
  std::size_t socket_ = 0;
};

}  // namespace load
