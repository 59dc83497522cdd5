#pragma once
// A caller and gateways that behave as RFC 3261 says of user agents, or misbehave in a way of their own, and remember what happened to
// them.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/network.hpp"
#include "sip/message.hpp"

namespace perdure::sim {

inline constexpr Duration t1 = 500ms, t2 = 4s;

class Caller;

// What a caller does that no user agent should.
enum class Manners : std::uint8_t {
  Good,
  NeverAcks,     // neither failures nor answers, and it ends no dialog
  CancelsTwice,  // the second time with other headers, whatever became of the first
  CancelsLate,   // after the final response
  Repeats,       // everything many times, whether it was answered or not
  InvitesTwice,  // a second INVITE with the same Call-ID while the first is open
};

struct CallerOptions {
  SocketAddress address, proxy;
  std::string call_id = "call";
  std::string user = "bob";
  Duration cancel_after = never - Time{};  // after the first provisional other than 100; none: no CANCEL
  Duration hold = 200ms;                   // from the 200 to the BYE
  std::string extra_headers;
  Transport transport = Transport::Udp;  // a reliable one: nothing is repeated but what RFC 3261 13.3.1.4 says
  Manners manners = Manners::Good;
  Duration again_after = 100ms;  // what it does twice, it does after this time
  std::string branch;            // of the INVITE, without the cookie; empty: one of its own
  Caller* host = nullptr;        // another call of the same user agent, which attaches to the address and hands over what is for this one
};

// One call: INVITE, perhaps CANCEL, ACK and BYE for every dialog that a 2xx makes.
class Caller {
 public:
  Caller(Network& network, CallerOptions options);
  void start();

  struct Seen {
    std::vector<std::uint16_t> provisionals;        // in order of arrival, 100 too
    std::set<std::uint16_t> finals;                 // distinct codes of final responses to the INVITE
    std::map<std::string, std::uint16_t> answered;  // To tag of each 2xx to the status of its BYE, 0: none yet
    std::uint16_t cancel_status = 0;                // the worst, if there were several
    bool cancel_sent = false;
    bool timed_out = false;   // an INVITE without any response
    bool unanswered = false;  // an INVITE, so far, without a final response
  };
  [[nodiscard]] const Seen& seen() const { return seen_; }
  [[nodiscard]] const std::string& call_id() const { return options_.call_id; }
  [[nodiscard]] Manners manners() const { return options_.manners; }

 private:
  struct Invite {
    std::string branch;
    int cseq = 1;
    bool ended = false, cancel_sent = false;
  };
  void on_packet(const Packet& packet);
  void invite(std::string branch, int cseq);
  void send(const SocketAddress& to, const std::string& text);
  void retransmit(const std::string& key, std::string text, SocketAddress to, Duration interval, Duration cap, Time until);
  void on_invite_response(const Packet& packet);
  void on_answer(const sip::Message& message, const std::string& to);
  void send_cancel(const Invite& invite);
  void cancel_again(const Invite& invite, std::string_view headers);
  [[nodiscard]] std::string uri() const;
  [[nodiscard]] std::string request(std::string_view method, std::string_view uri, std::string_view branch, std::string_view to,
                                    std::string_view routes, int cseq, std::string_view headers = {}) const;
  [[nodiscard]] std::string cancel(const Invite& invite, std::string_view headers) const;

  Network& network_;
  CallerOptions options_;
  Seen seen_;
  std::vector<Invite> invites_;
  std::vector<Caller*> guests_;
  std::set<std::string> waiting_;  // transactions that still retransmit
};

struct GatewayOptions {
  SocketAddress address;
  // What happens after an INVITE, each after the one before: (delay, status). A final response ends it.
  std::vector<std::pair<Duration, std::uint16_t>> answers;
  bool answer_crosses_cancel = false;  // a CANCEL is answered 200, but the call is answered all the same
  Transport transport = Transport::Udp;
};

class Gateway {
 public:
  Gateway(Network& network, GatewayOptions options);

  struct Transaction {
    std::string branch, call_id, request_uri;
    std::uint16_t last_status = 0;
    bool acked = false, canceled = false;
    std::uint32_t invites = 0, cancels = 0;
  };
  [[nodiscard]] const SocketAddress& address() const { return options_.address; }
  // By branch.
  [[nodiscard]] const std::map<std::string, Transaction>& transactions() const { return transactions_; }
  // Violations that a gateway can see: a CANCEL or ACK that fits no INVITE, and the like.
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] const std::set<std::string>& byes() const { return byes_; }  // Call-IDs

 private:
  void on_packet(const Packet& packet);
  void answer(const std::string& branch, std::string invite, SocketAddress to, std::size_t index);
  void respond(const std::string& invite, const SocketAddress& to, std::uint16_t status);
  void respond_until_ack(const std::string& branch, const std::string& invite, const SocketAddress& to, std::uint16_t status,
                         Duration interval, Time until);

  Network& network_;
  GatewayOptions options_;
  std::map<std::string, Transaction> transactions_;
  std::map<std::string, std::string> invites_;
  std::set<std::string> acked_dialogs_, byes_;
  std::vector<std::string> violations_;
};

}  // namespace perdure::sim
