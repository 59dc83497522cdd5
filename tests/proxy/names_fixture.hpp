#pragma once
// A proxy with a DNS in the test's hand: it answers when the test says so.
#include <functional>
#include <utility>
#include <vector>

#include "locate/block_list.hpp"
#include "locate/fake_names.hpp"
#include "proxy/transport_fixture.hpp"

namespace perdure::proxy {

class NamesTest : public TransportTest, public Mailbox {
 protected:
  NamesTest() {
    options.locating.names = &names;
    options.locating.blocked = &blocked;
    for (int i = 1; i <= 3; ++i) names.add_address(gateway_name(i), "127.0.0." + std::to_string(i));
  }
  void post(std::function<void(Proxy&, Time, Outputs&)> f) override { mail.push_back(std::move(f)); }

  static std::string gateway_name(int number) { return "g" + std::to_string(number) + ".example.test"; }
  // gateways.example.test: g1, g2, … in this order, each on port 7001.
  void add_gateways(int count, const std::string& service = "_sip._udp") {
    for (int i = 1; i <= count; ++i)
      names.add_service(service + ".gateways.example.test", static_cast<std::uint16_t>(i), 7001, gateway_name(i));
  }

  std::vector<Sent> begin() {
    auto sent = start();
    proxy->set_mailbox(*this);
    return sent;
  }
  // What has come back from name servers.
  std::vector<Sent> take_mail() {
    for (auto& f : std::exchange(mail, {})) f(*proxy, now, outputs);
    return collect();
  }
  std::vector<Sent> answer(bool keep = true) {
    names.answer(keep);
    return take_mail();
  }
  // All searches end without an answer.
  std::vector<Sent> nobody_answers() {
    for (auto& search : std::exchange(names.open, {})) {
      auto answers = std::make_shared<locate::AnswerSet>();
      answers->complete();
      search.done(std::move(answers));
    }
    return take_mail();
  }
  // "127.0.0.1 INVITE", those to us and our caller left out.
  static std::vector<std::string> to_gateways(const std::vector<Sent>& sent) {
    std::vector<std::string> lines;
    for (const auto& one : sent)
      if (one.to.port != caller) lines.push_back(one.to.ip_text() + " " + one.first_line().substr(0, one.first_line().find(' ')));
    return lines;
  }
  static std::vector<std::string> to_caller(const std::vector<Sent>& sent) {
    std::vector<std::string> lines;
    for (const auto& one : sent)
      if (one.to.port == caller) lines.push_back(one.first_line());
    return lines;
  }
  static Sent first_to(const std::vector<Sent>& sent, std::string_view ip, std::string_view method) {
    for (const auto& one : sent)
      if (one.to.ip_text() == ip && one.to.port != caller && one.text.starts_with(method)) return one;
    ADD_FAILURE() << "no " << method << " to " << ip;
    return {};
  }
  static std::string branch_of(const Sent& sent) {
    sip::Message message;
    return message.parse(sent.text) ? std::string(message.top_via()->branch) : std::string();
  }

  static constexpr auto host_uri = "sip:bob@g1.example.test:7001", set_uri = "sip:bob@gateways.example.test";
  locate::FakeNames names;
  locate::BlockList blocked;
  std::vector<std::function<void(Proxy&, Time, Outputs&)>> mail;
};

}  // namespace perdure::proxy
