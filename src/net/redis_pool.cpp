#include "net/redis_pool.hpp"

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>

#include <mutex>

#include "net/url_escape.hpp"

namespace perdure::net {
namespace {

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;
using Reply = std::unique_ptr<redisReply, FreeReply>;

RedisReply copy_of(const redisReply& reply) {
  RedisReply copy{.type = static_cast<RedisReply::Type>(reply.type), .integer = 0, .text = {}, .elements = {}};
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      copy.integer = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      copy.elements.reserve(reply.elements);
      for (std::size_t i = 0; i < reply.elements; ++i)
        copy.elements.push_back(reply.element[i] ? copy_of(*reply.element[i]) : RedisReply{});
      break;
    case REDIS_REPLY_NIL:
      break;
    default:
      copy.text.assign(reply.str, static_cast<std::size_t>(reply.len));
  }
  return copy;
}

class RedisSession final : public ServiceSession<RedisCommand, RedisReply> {
 public:
  RedisSession(const RedisOptions& options, Context context) : options_(options), context_(std::move(context)) {}
  ~RedisSession() override {
    const std::scoped_lock lock(mutex_);
    context_.reset();
  }

  [[nodiscard]] Result<> log_in(const RedisTarget& target) {
    const std::atomic<bool> never{false};
    const auto must = [&](std::vector<std::string> words) -> Result<> {
      auto reply = run({std::move(words)}, never);
      if (!reply) return std::unexpected(reply.error());
      if (reply->type == RedisReply::Type::Error) return fail(reply->text);
      return {};
    };
    if (!target.password.empty()) {
      auto words = target.user.empty() ? std::vector<std::string>{"AUTH", target.password}
                                       : std::vector<std::string>{"AUTH", target.user, target.password};
      if (auto done = must(std::move(words)); !done) return done;
    }
    return target.database ? must({"SELECT", std::to_string(target.database)}) : Result<>{};
  }

  Result<RedisReply> run(const RedisCommand& command, const std::atomic<bool>& cancelled) override {
    if (cancelled.load()) return fail("the command was cancelled");
    auto reply = exchange(command);
    broken_ = !reply;  // an answer that comes too late must not be taken for that of the next command
    return reply;
  }

  bool usable() override {
    if (broken_) return false;
    // An idle server says nothing: whatever there is to read is its end.
    pollfd look{.fd = context_->fd, .events = POLLIN | POLLRDHUP, .revents = 0};
    return ::poll(&look, 1, 0) == 0;
  }

  void interrupt() override {
    const std::scoped_lock lock(mutex_);
    if (context_) ::shutdown(context_->fd, SHUT_RDWR);
  }

 private:
  [[nodiscard]] Result<RedisReply> error() const {
    // EAGAIN is how a socket says that its timeout has passed.
    if (context_->err == REDIS_ERR_IO && errno == EAGAIN) return fail("the command took too long");
    return fail(context_->errstr);
  }

  Result<RedisReply> exchange(const RedisCommand& command) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const auto& word : command.words) {
      texts.push_back(word.data());
      sizes.push_back(word.size());
    }
    redisContext* const context = context_.get();
    if (redisAppendCommandArgv(context, static_cast<int>(texts.size()), texts.data(), sizes.data()) != REDIS_OK) return error();
    for (int all_written = 0; !all_written;)
      if (redisBufferWrite(context, &all_written) != REDIS_OK) return error();
    // As redisGetReply() does it, with a limit and an end: a server that sends a byte now and then keeps nobody for ever.
    const ServiceTime end = service_deadline(options_.timeout);
    std::size_t bytes = 0;
    while (true) {
      void* got = nullptr;
      if (redisGetReplyFromReader(context, &got) != REDIS_OK) return error();
      if (const Reply reply(static_cast<redisReply*>(got)); reply) return copy_of(*reply);
      if (service_now() > end) return fail("the command took too long");
      const std::size_t before = context->reader->len;
      if (redisBufferRead(context) != REDIS_OK) return error();
      bytes += context->reader->len - before;
      if (bytes > options_.bytes_max) return fail("the reply is too large");
    }
  }

  const RedisOptions& options_;
  std::mutex mutex_;  // guards the end of context_ against interrupt()
  Context context_;
  bool broken_ = false;
};

Result<std::unique_ptr<ServiceSession<RedisCommand, RedisReply>>> open(const RedisOptions& options, const RedisTarget& target) {
  const auto us = options.timeout.count();
  const timeval timeout{.tv_sec = us / 1'000'000, .tv_usec = us % 1'000'000};
  Context context(target.host.empty() ? redisConnectUnixWithTimeout(target.path.c_str(), timeout)
                                      : redisConnectWithTimeout(target.host.c_str(), target.port, timeout));
  if (!context) return fail("out of memory");
  if (context->err) return fail(context->errstr);
  if (redisSetTimeout(context.get(), timeout) != REDIS_OK) return fail(context->errstr);
  if (!target.host.empty()) redisEnableKeepAlive(context.get());  // one that is gone without a word is noticed at the next command
  auto session = std::make_unique<RedisSession>(options, std::move(context));
  if (auto done = session->log_in(target); !done) return std::unexpected(done.error());
  return session;
}

}  // namespace

Result<RedisTarget> RedisTarget::parse(std::string_view url) {
  const auto bad = [](std::string_view why) { return fail(fmt::format("the URL of the Redis server {}", why)); };
  RedisTarget target;
  if (url.starts_with("unix://")) {
    target.path = url.substr(7);
    if (!target.path.starts_with('/')) return bad("needs the absolute path of a socket");
    return target;
  }
  if (!url.starts_with("redis://")) return bad("begins with redis:// or unix://");
  std::string_view rest = url.substr(8);
  if (const std::size_t at = rest.rfind('@'); at != rest.npos) {
    const std::string_view who = rest.substr(0, at);
    const std::size_t colon = who.find(':');
    if (colon == who.npos) return bad("has a user without a password");
    const auto user = unescape_url(who.substr(0, colon)), password = unescape_url(who.substr(colon + 1));
    if (!user || !password) return bad("has a % without two digits");
    target.user = *user;
    target.password = *password;
    rest.remove_prefix(at + 1);
  }
  const auto number = [](std::string_view text, auto& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
  };
  if (const std::size_t slash = rest.find('/'); slash != rest.npos) {
    const std::string_view database = rest.substr(slash + 1);
    if (!database.empty() && !number(database, target.database)) return bad("ends with the number of a database");
    rest = rest.substr(0, slash);
  }
  if (const std::size_t colon = rest.rfind(':'); colon != rest.npos && !rest.ends_with(']')) {
    if (!number(rest.substr(colon + 1), target.port) || target.port == 0) return bad("has a port that is none");
    rest = rest.substr(0, colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) return bad("names no host");
  target.host = rest;
  return target;
}

Result<std::unique_ptr<RedisPool>> RedisPool::create(RedisOptions options) {
  auto target = RedisTarget::parse(options.url);
  if (!target) return std::unexpected(target.error());
  Options pool{.name = "Redis", .connections = options.connections, .queue_max = options.queue_max, .longest = options.timeout};
  pool.connect = [options = std::make_shared<const RedisOptions>(std::move(options)), target = std::move(*target)] {
    return open(*options, target);
  };
  return std::unique_ptr<RedisPool>(new RedisPool(std::move(pool)));
}

}  // namespace perdure::net
