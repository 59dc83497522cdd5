#pragma once
// What goes to a Redis server and what comes back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace perdure::net {

// As the protocol has it (RESP 2).
struct RedisReply {
  enum class Type : std::uint8_t { String = 1, Array = 2, Integer = 3, Nil = 4, Status = 5, Error = 6 };
  Type type = Type::Nil;
  std::int64_t integer = 0;
  std::string text;  // of String, Status and Error
  std::vector<RedisReply> elements;
};

// The words of a command: each goes over as it is, whatever bytes it has.
struct RedisCommand {
  std::vector<std::string> words;
};

struct RedisOptions {
  // redis://[[user]:password@]host[:port][/number of the database], or unix:///path/of/the/socket; reserved characters of user and password
  // as %XX.
  std::string url;
  std::uint32_t connections = 4;     // each with its thread; at least one
  std::uint32_t queue_max = 10'000;  // commands that wait for a connection
  Duration timeout = 1s;             // no command holds its connection for longer, nor does an attempt to connect
  std::size_t bytes_max = 1U << 20;  // of one reply; more is an error and closes the connection
};

struct RedisTarget {
  std::string host;  // empty: `path`
  std::uint16_t port = 6379;
  std::string path;
  std::string user, password;
  std::uint32_t database = 0;
  // The error says what is wrong with the URL, without its password.
  [[nodiscard]] static Result<RedisTarget> parse(std::string_view url);
};

}  // namespace perdure::net
