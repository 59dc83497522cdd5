#include "app/connections_host.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <bit>

#include "base/assert.hpp"

namespace perdure::app {
namespace {

constexpr Duration flush_time = 1s;

// Ids of connections are never used twice, whatever has become of the edge in between: 32 random bits make two edges with the same ones
// about as likely as anything else that does not happen.
std::uint32_t random_generation() {
  std::uint32_t generation = 0;
  while (generation == 0) PERDURE_ASSERT(getrandom(&generation, sizeof generation, 0) == sizeof generation);
  return generation;
}

}  // namespace

void ConnectionsHost::read_options(const Config& config) {
  listen_texts_.assign(config.listen.size(), {});
  options_ = config.connections;
  options_.gather = config.engine.gather;
  for (std::uint16_t i = 0; i < config.listen.size(); ++i)
    if (config.listen[i].transport != Transport::Udp)
      options_.listeners.push_back(
          {.transport = config.listen[i].transport,
           .address = config.listen[i].address,
           .socket = i,
           .proxy_protocol = std::ranges::find(config.proxy_protocol, config.listen[i]) != config.proxy_protocol.end()});
}

Result<> ConnectionsHost::open(const Config& config) {
  read_options(config);
  if (options_.listeners.empty()) return {};
  auto rings = edge::RingRegion::create(worker_count(config), std::bit_floor(config.connections_ring_bytes));
  if (!rings) return std::unexpected(rings.error());
  rings_ = std::move(*rings);
  connections_.emplace(options_, *rings_, random_generation());
  if (auto opened = connections_->open(); !opened) return opened;
  write_listen_texts();
  return {};
}

Result<> ConnectionsHost::adopt(const Config& config, const std::vector<int>& listeners, const std::vector<int>& rings) {
  read_options(config);
  if (options_.listeners.empty() && listeners.empty()) return {};
  auto mapped = edge::RingRegion::map(rings);
  if (!mapped) return std::unexpected(mapped.error());
  rings_ = std::move(*mapped);
  if (rings_->worker_count() != worker_count(config)) return fail("the rings of the edge before are for another number of workers");
  connections_.emplace(options_, *rings_, random_generation());
  if (auto adopted = connections_->adopt(listeners); !adopted) return adopted;
  write_listen_texts();
  return {};
}

void ConnectionsHost::write_listen_texts() {
  for (std::size_t i = 0; i < options_.listeners.size(); ++i) {
    const auto& listener = options_.listeners[i];
    listen_texts_[listener.socket] = fmt::format("{}:{}", name(listener.transport), connections_->addresses()[i].text());
  }
}

bool ConnectionsHost::is_secure() const {
  return std::ranges::any_of(options_.listeners, [](const edge::Listener& listener) {
    return listener.transport == Transport::Tls || listener.transport == Transport::Wss;
  });
}

Result<> ConnectionsHost::reload_tls() {
  if (!is_secure()) return {};
  auto loaded = edge::TlsContext::load(options_.tls);
  if (!loaded) return std::unexpected(loaded.error());
  connections_->post([tls = std::move(*loaded)](edge::Hub& hub) { hub.set_tls(tls); });
  return {};
}

void ConnectionsHost::start() {
  if (connections_) connections_->start();
}

void ConnectionsHost::end_reading() {
  if (connections_) connections_->post([](edge::Hub& hub) { hub.end(); });
}

void ConnectionsHost::stop() {
  if (connections_) connections_->stop(flush_time);
}

void ConnectionsHost::pause() {
  if (connections_) connections_->pause();
}

void ConnectionsHost::resume() {
  if (connections_) connections_->resume();
}

edge::HandedConnections ConnectionsHost::give_away() {
  if (!connections_) return {};
  if (!relay_) relay_ = std::make_unique<edge::Relay>();
  return connections_->give_away(*relay_);
}

void ConnectionsHost::take(edge::HandedConnections handed) {
  if (connections_) connections_->take(std::move(handed));
}

void ConnectionsHost::close() {
  connections_.reset();
  rings_.reset();
}

std::vector<int> ConnectionsHost::listeners() const {
  if (!connections_) return {};
  return connections_->listener_descriptors();
}

std::vector<std::string> ConnectionsHost::engine_arguments() const {
  if (!rings_) return {};
  std::string listens;
  for (const auto& text : listen_texts_)
    if (!text.empty()) listens += fmt::format("{}{}", listens.empty() ? "" : ",", text);
  return {"--listening", listens};
}

std::vector<int> ConnectionsHost::engine_descriptors() const {
  if (!rings_) return {};
  return rings_->descriptors();
}

}  // namespace perdure::app
