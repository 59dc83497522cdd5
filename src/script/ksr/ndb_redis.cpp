// KSR.ndb_redis: commands to Redis servers; the callback waits, its worker does not.
#include <bit>
#include <optional>

#include "base/logging.hpp"
#include "script/service_results.hpp"
#include "script/vm.hpp"

namespace perdure::script {
namespace {

constexpr std::size_t words_max = 1000;

// Words are what stands between blanks; %s is the next of the `parameters`, as a part of its word, and %% a percent sign. Nullopt after
// call.fail().
std::optional<net::RedisCommand> command_of(Call& call, std::string_view text, std::size_t first, std::size_t parameters) {
  net::RedisCommand command;
  bool inside = false;
  std::size_t used = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ' ') {
      inside = false;
      continue;
    }
    if (!inside) command.words.emplace_back();
    inside = true;
    const char next = text[i] == '%' && i + 1 < text.size() ? text[i + 1] : '\0';
    if (next == 's' || next == 'b') {
      if (used == parameters) {
        (void)call.fail("the command has more %s than there are parameters");
        return std::nullopt;
      }
      command.words.back() += call.text(first + used++);
      ++i;
    } else {
      command.words.back() += text[i];
      if (next == '%') ++i;
    }
  }
  if (command.words.empty() || command.words.size() > words_max) {
    (void)call.fail(command.words.empty() ? "the command is empty" : "the command has too many words");
    return std::nullopt;
  }
  return command;
}

// The arguments: server, command, parameters, name of the reply.
int command(Call& call) {
  const RedisServer* server = call.vm.redis(call.text(0));
  if (!server) return call.fail("there is no Redis server " + std::string(call.text(0)));
  auto words = command_of(call, call.text(1), 2, call.count() - 3);
  if (!words) return -1;
  const std::string name(call.text(call.count() - 1));
  call.run.redis_replies.remove(name);
  return call.wait(server->timeout, [&](const Waker& waker) {
    server->pool->query(std::move(*words), server->timeout,
                        [waker, name, server_name = std::string(call.text(0))](Result<net::RedisReply> result) {
                          const auto complain = [server_name](Call& woken, const std::string& why) {
                            if (std::has_single_bit(++woken.vm.failed_queries))
                              log::warning("Redis server {}: failed command {}: {}", server_name, woken.vm.failed_queries, why);
                            return -1;
                          };
                          if (!result) return waker([complain, why = result.error().message](Call& woken) { return complain(woken, why); });
                          waker([complain, name, reply = std::make_shared<const net::RedisReply>(std::move(*result))](Call& woken) {
                            woken.run.redis_replies.set(name, reply);
                            return reply->type == net::RedisReply::Type::Error ? complain(woken, reply->text) : 1;
                          });
                        });
  });
}

constexpr std::string_view difference =
    "The callback waits, so only in request and failure callbacks. A reply belongs to this run of the callback. A connection that fails "
    "while a command is under way is not tried again with it. More `%s` than parameters are a script error.";

const Function table[] = {
    {"ndb_redis", "redis_cmd", "string server, string command, string reply", Returns::Integer, routes::answering,
     "Sends a command to a server and waits. 1: there is a reply, `$redis(reply=>value)`; -1: none in time, or an error, "
     "`$redis(reply=>info)`. "
     "Words are separated by blanks; `%%` is a percent sign.",
     difference, command},
    {"ndb_redis", "redis_cmd_p1", "string server, string command, string parameter, string reply", Returns::Integer, routes::answering,
     "The same with a parameter: `%s` in the command, whatever bytes it has.", difference, command},
    {"ndb_redis", "redis_cmd_p2", "string server, string command, string parameter1, string parameter2, string reply", Returns::Integer,
     routes::answering, "The same with two parameters.", difference, command},
    {"ndb_redis", "redis_cmd_p3", "string server, string command, string parameter1, string parameter2, string parameter3, string reply",
     Returns::Integer, routes::answering, "The same with three parameters.", difference, command},
    {"ndb_redis", "redis_free", "string reply", Returns::Integer, routes::any,
     "Forgets a reply; the end of the callback does it, too. -1: there is none.", "",
     [](Call& call) { return call.run.redis_replies.remove(call.text(0)) ? 1 : -1; }},
};

}  // namespace

std::span<const Function> ndb_redis_functions() {
  return table;
}

}  // namespace perdure::script
