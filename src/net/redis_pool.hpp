#pragma once
// Commands to a Redis server, in threads of its own.
#include <memory>

#include "net/redis_types.hpp"
#include "net/service_pool.hpp"

namespace perdure::net {

// A reply of type Error is an answer like others. A connection that fails in a command is closed, and the command is not repeated: nobody
// knows whether it was done.
class RedisPool final : public ServicePool<RedisCommand, RedisReply> {
 public:
  // Does not connect yet.
  [[nodiscard]] static Result<std::unique_ptr<RedisPool>> create(RedisOptions options);

 private:
  using ServicePool::ServicePool;
};

}  // namespace perdure::net
