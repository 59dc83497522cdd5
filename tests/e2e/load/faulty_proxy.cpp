#include "faulty_proxy.hpp"

namespace load {
namespace {

std::uint16_t port_in(std::string_view text) {
  std::uint16_t port = 0;
  if (const auto at = text.find("127.0.0.1:"); at != std::string_view::npos)
    std::from_chars(text.data() + at + 10, text.data() + text.size(), port);
  return port;
}

void replace(std::string& text, std::string_view what, std::string_view by) {
  if (const auto at = text.find(what); at != std::string::npos) text.replace(at, what.size(), by);
}

}  // namespace

FaultyProxy::FaultyProxy(Network& network, std::vector<std::uint16_t> gateways, Fault fault)
    : network_(network), gateways_(std::move(gateways)), fault_(fault) {
  socket_ = network_.open(0, [this](std::string_view bytes, std::uint16_t from) { on_packet(bytes, from); });
}

// In a dialog the Request-URI names it, otherwise the Call-ID decides.
std::uint16_t FaultyProxy::gateway_of(const Text& text) const {
  const auto named = port_in(text.request_uri());
  return named && named != port() ? named : gateways_[std::hash<std::string_view>{}(text.header("Call-ID")) % gateways_.size()];
}

std::uint16_t FaultyProxy::another(std::uint16_t gateway) const {
  return gateway == gateways_[0] ? gateways_[1] : gateways_[0];
}

void FaultyProxy::on_packet(std::string_view bytes, std::uint16_t from) {
  const Text text(bytes);
  if (text.is_response()) return on_response(text, bytes);
  const auto method = text.method();
  const auto gateway = gateway_of(text);
  if (method == "INVITE") return on_invite(text, bytes);
  if (method == "CANCEL") return on_cancel(bytes, from);
  if (method == "BYE" && fault_ == Fault::RefuseBye) return reply(bytes, from, 481);
  if (method == "BYE" && fault_ == Fault::ByeElsewhere) return forward(bytes, another(gateway));
  if (method == "ACK" && fault_ == Fault::SwallowAck) return;
  if (method == "ACK" && fault_ == Fault::AckElsewhere) return forward(bytes, another(gateway));
  std::string out(bytes);
  if (method == "ACK" && fault_ == Fault::AckOtherUri) replace(out, "ACK sip:bob", "ACK sip:eve");
  forward(out, gateway);
}

void FaultyProxy::on_invite(const Text& text, std::string_view bytes) {
  invites_[std::string(text.header("Call-ID"))] = bytes;
  const auto gateway = gateway_of(text);
  forward(bytes, gateway);
  if (fault_ == Fault::InviteTwice) forward(bytes, gateway, "again");
  if (fault_ == Fault::CancelUnasked) {
    std::string cancel(bytes);
    replace(cancel, "INVITE", "CANCEL");
    replace(cancel, "1 INVITE", "1 CANCEL");
    network_.after(milliseconds(30), [this, cancel, gateway] { forward(cancel, gateway); });
  }
}

void FaultyProxy::on_cancel(std::string_view bytes, std::uint16_t from) {
  if (fault_ == Fault::SwallowCancel) return;
  reply(bytes, from, fault_ == Fault::RefuseCancel ? 481 : 200);
  if (fault_ == Fault::CancelStaysHere) return;
  std::string out(bytes);
  if (fault_ == Fault::CancelOtherUri) replace(out, "sip:bob", "sip:eve");
  if (fault_ == Fault::CancelOtherNumber) replace(out, "CSeq: 1 ", "CSeq: 2 ");
  const auto gateway = gateway_of(Text(bytes));
  forward(out, fault_ == Fault::CancelElsewhere ? another(gateway) : gateway, fault_ == Fault::CancelOtherBranch ? "other" : "");
}

// RFC 3261 16.7 step 5: a gateway that fails is acknowledged here, and the next one tried.
bool FaultyProxy::fails_over(const Text& text) {
  const auto found = invites_.find(std::string(text.header("Call-ID")));
  if (text.status() != 503 || text.cseq_method() != "INVITE" || fault_ == Fault::PassFailureOn || found == invites_.end()) return false;
  const std::string invite = found->second;
  invites_.erase(found);
  const auto failed = gateway_of(Text(invite));
  std::string ack = invite;
  replace(ack, "INVITE", "ACK");
  replace(ack, "1 INVITE", "1 ACK");
  const Text as_sent(invite);
  replace(ack, as_sent.header("To"), text.header("To"));
  forward(ack, failed);
  forward(invite, fault_ == Fault::SameGatewayAgain ? failed : another(failed), "next");
  return true;
}

void FaultyProxy::on_response(const Text& text, std::string_view bytes) {
  const auto vias = text.headers("Via");
  if (vias.size() < 2 || text.cseq_method() == "CANCEL" || fails_over(text)) return;
  const bool invite = text.cseq_method() == "INVITE";
  if (invite && text.status() >= 200 && fault_ == Fault::SwallowFinal) return;
  std::string out(bytes);
  const auto at = out.find("Via: ");
  out.erase(at, out.find("\r\n", at) + 2 - at);
  if (invite && text.status() >= 400 && fault_ == Fault::ChangeFinal) out.replace(8, 3, "500");
  const auto port = port_in(vias[1]);
  if (invite && text.status() == 180 && fault_ == Fault::Overtake) {
    network_.after(milliseconds(30), [this, port, out] { network_.send(socket_, port, out); });
    return;
  }
  network_.send(socket_, port, out);
  if (invite && text.status() >= 400 && fault_ == Fault::SecondFinal) {
    out.replace(8, 3, "500");
    network_.send(socket_, port, out);
  }
}

void FaultyProxy::forward(std::string_view bytes, std::uint16_t gateway, std::string_view suffix) {
  const Text text(bytes);
  std::string out(bytes);
  const auto host = fault_ == Fault::CancelOtherSentBy && text.method() == "CANCEL" ? "localhost:" : "127.0.0.1:";
  std::string added = "Via: SIP/2.0/UDP " + (host + std::to_string(port())) + ";branch=z9hG4bKr" + std::string(text.branch()) +
                      std::string(suffix) + "\r\n";
  if (text.method() == "INVITE") added += "Record-Route: <sip:127.0.0.1:" + std::to_string(port()) + ";lr>\r\n";
  out.insert(out.find("\r\n") + 2, added);
  network_.send(socket_, gateway, out);
}

void FaultyProxy::reply(std::string_view request, std::uint16_t to, int status) {
  const Text text(request);
  std::string out = "SIP/2.0 " + std::to_string(status) + " X\r\n";
  for (const auto* name : {"Via", "From", "To", "Call-ID", "CSeq"})
    for (const auto value : text.headers(name)) out += std::string(name) + ": " + std::string(value) + "\r\n";
  network_.send(socket_, to, out + "Content-Length: 0\r\n\r\n");
}

}  // namespace load
