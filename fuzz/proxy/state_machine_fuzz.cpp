// Transactions under events in any order: the first byte picks the state in which they begin, the next three the script and the world, the
// others are events: messages from either side, timers, deaths and restarts. Afterwards all timers run out, and nothing may be left.
#include <array>
#include <string>

#include "fuzz/input.hpp"
#include "fuzz/proxy/script.hpp"
#include "fuzz/proxy/world.hpp"
#include "sip/builder.hpp"

namespace {

using namespace perdure;
using fuzz::Forwarded;
using fuzz::Script;
using fuzz::World;

constexpr std::size_t events_max = 48, calls = 4;
constexpr std::array<std::uint16_t, 16> statuses = {100, 180, 183, 200, 202, 199, 302, 401, 404, 408, 486, 487, 503, 500, 603, 699};

class Player {
 public:
  Player(World& world, bool hostile) : world_(world), hostile_(hostile) {}

  // The state in which the events begin: what the caller and the gateways have done before.
  void prepare(std::uint8_t state) {
    static constexpr std::array<std::string_view, 16> prefixes = {
        "",          // nothing yet
        "I",         // Calling
        "I1",        // Proceeding, the caller rings
        "I13",       // Accepted
        "I1xI3",     // Accepted, after a retransmission
        "I1b",       // Completed: busy, the ACK of the caller is missing
        "I1bA",      // Confirmed
        "IC",        // cancelled before a provisional
        "I1C",       // cancelled while it rings
        "I1Cc",      // the same, the CANCEL is answered
        "I1CcB",     // the same, the INVITE too
        "O",         // non-INVITE Trying
        "O1",        // non-INVITE Proceeding
        "O3",        // non-INVITE Completed
        "I1tttttt",  // after Timer C
        "Ittt",      // retransmissions under way
    };
    for (const char c : prefixes[state % prefixes.size()]) prepare_step(c);
  }

  void event(fuzz::Input& input) {
    const std::uint8_t what = input.byte(), how = input.byte();
    switch (what % 16) {
      case 0:
        return request("INVITE", how);
      case 1:
        return request(how & 128 ? "BYE" : "OPTIONS", how);
      case 2:
        return follow("CANCEL", how % calls);
      case 3:
        return follow("ACK", how % calls);
      case 4:
      case 5:
      case 6:
        return respond(how >> 4, statuses[how % 16], what >> 4);
      case 7:
        return void(world_.pass_to_deadline());
      case 8:
        return world_.pass(std::chrono::milliseconds(1 << how % 17));
      case 9:
        return world_.die_now();
      case 10:
        return world_.die_before_write(how);
      case 11:
        return world_.die_after_output(1 + how % 4);
      case 12:
        return world_.set_worker_count(1 + how % 2);
      case 13:
        return acknowledge_success(how % calls, how & 128);
      case 14:
        if (hostile_) world_.receive(input.take(how * 4U), fuzz::local_address(fuzz::caller_port));
        return;
      default:
        if (hostile_) damage(input, how);
    }
  }

 private:
  struct Call {
    std::size_t serial = 0;
    std::string invite_branch;
    std::string_view extra;  // headers; a request that comes again has the same
  };

  void prepare_step(char c) {
    switch (c) {
      case 'I':
        return request("INVITE", 0);
      case 'x':
        return void(world_.pass_to_deadline());
      case 'O':
        return request("OPTIONS", 0);
      case 'C':
        return follow("CANCEL", 0);
      case 'A':
        return follow("ACK", 0);
      case 'c':  // the CANCEL is the last that was sent
        return respond(SIZE_MAX, 200, 0);
      case '1':
        return respond(0, 180, 0);
      case '3':
        return respond(0, 200, 0);
      case 'b':
      case 'B':
        return respond(0, c == 'b' ? 486 : 487, 0);
      default:
        return void(world_.pass_to_deadline());
    }
  }

  static SocketAddress caller(std::size_t call) { return fuzz::local_address(fuzz::caller_port + static_cast<int>(call)); }

  [[nodiscard]] std::string text(std::string_view method, std::size_t call, std::string_view branch, std::string_view extra = {}) const {
    const std::string number = std::to_string(call);
    return std::string(method) + " sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP " + caller(call).text() +
           ";branch=" + std::string(branch) + "\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.org>;tag=a" + number +
           "\r\nTo: <sip:bob@example.org>\r\nCall-ID: call-" + number + "\r\nCSeq: 1 " + std::string(method) + "\r\n" + std::string(extra) +
           "Contact: <sip:alice@" + caller(call).text() + ">\r\nContent-Length: 0\r\n\r\n";
  }

  // A new request, or the last one of the call again.
  void request(const std::string& method, std::uint8_t how) {
    const std::size_t index = how % calls;
    Call& call = calls_[index];
    if (!(how & 16) || call.serial == 0) {
      ++call.serial;
      call.extra = how & 32 ? "Max-Breadth: 2\r\n" : how & 64 ? "X-Long: 0123456789012345678901234567890123456789\r\nTimestamp: 5\r\n" : "";
    }
    const std::string branch = "z9hG4bK" + method + std::to_string(index) + "." + std::to_string(call.serial);
    if (method == "INVITE") call.invite_branch = branch;
    world_.judge().on_request_in(method, branch, world_.clock());
    last_ = text(method, index, branch, call.extra);
    world_.receive(last_, caller(index), how & 8 ? 1 : 0);
  }

  // CANCEL, or the ACK of a failure: with the branch of the INVITE.
  void follow(std::string_view method, std::size_t index) {
    const Call& call = calls_[index];
    if (call.invite_branch.empty()) return;
    last_ = text(method, index, call.invite_branch, "Reason: SIP;cause=200\r\n");
    world_.receive(last_, caller(index));
  }

  // The ACK of a 2xx is a transaction of its own; with `reuses_branch` from a client of before RFC 3261.
  void acknowledge_success(std::size_t index, bool reuses_branch) {
    last_ = text("ACK", index, reuses_branch ? calls_[index].invite_branch : "z9hG4bKack" + std::to_string(index));
    world_.receive(last_, caller(index));
  }

  void respond(std::size_t which, std::uint16_t status, std::size_t tag) {
    const auto& forwarded = world_.judge().forwarded();
    if (forwarded.empty()) return;
    const Forwarded request = forwarded[std::min(which, forwarded.size() - 1)];
    sip::Message message;
    fuzz::expect(message.parse(request.text).has_value(), "a forwarded request is malformed");
    last_.clear();
    const sip::Via* top = message.top_via();
    sip::build_response(message, status, {}, "g" + std::to_string(tag), "Contact: <sip:bob@127.0.0.1:7000>\r\n", {},
                        top ? top->text : std::string_view{}, last_);
    world_.receive(last_, request.destination, request.socket);
  }

  // The last message again, some of its bytes changed or cut.
  void damage(fuzz::Input& input, std::uint8_t how) {
    std::string bytes = last_;
    for (int i = 0; i < how % 4 + 1 && !bytes.empty(); ++i) {
      const std::size_t at = input.below(bytes.size());
      const std::size_t size = how >> 4;
      bytes.replace(at, std::min(size, bytes.size() - at), input.take(how >> 3 & 7));
    }
    world_.receive(bytes, caller(how % calls));
  }

  World& world_;
  const bool hostile_;
  std::array<Call, calls> calls_;
  std::string last_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t state = input.byte(), routing = input.byte(), callbacks = input.byte(), world_bits = input.byte();
  Script script;
  script.fork = static_cast<Script::Fork>(routing & 3);
  script.record_route = routing & 4;
  script.answers_failures = routing & 8;
  script.drops_a_branch = routing & 16;
  script.drops_provisionals = routing & 32;
  // Rare, so that they do not hide the rest.
  script.makes_transaction_first = callbacks % 8 == 1;
  script.is_stateless = callbacks % 8 == 2;
  script.refuses = callbacks % 8 == 3;
  script.fails = callbacks % 8 == 4;
  auto options = fuzz::proxy_options();
  options.forward_stray_responses = !(callbacks & 8);
  options.cancel_unknown_forwards = !(callbacks & 16);
  options.branches_max = callbacks & 32 ? 2 : 16;
  const auto persist = static_cast<proxy::Persist>(std::min(world_bits & 3, 2));
  const bool hostile = world_bits & 4, small = world_bits & 8;
  World world(options, script, persist, small ? 56 * 1024 : 512 * 1024, !hostile && !script.is_stateless && !small);
  Player player(world, hostile);
  player.prepare(state);
  for (std::size_t i = 0; i < events_max && !input.empty(); ++i) player.event(input);
  world.settle();
  return 0;
}
