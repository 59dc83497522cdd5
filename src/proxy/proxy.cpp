#include "proxy/proxy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "base/checksum.hpp"
#include "proxy/core.hpp"
#include "sip/partition.hpp"

namespace perdure::proxy {

std::uint32_t LocalSocket::key() const {
  std::array<std::uint8_t, 20> bytes{};
  std::ranges::copy(address.ip, bytes.begin());
  bytes[16] = static_cast<std::uint8_t>(transport);
  bytes[17] = static_cast<std::uint8_t>(address.family);
  bytes[18] = static_cast<std::uint8_t>(address.port >> 8);
  bytes[19] = static_cast<std::uint8_t>(address.port);
  return static_cast<std::uint32_t>(checksum(bytes.data(), bytes.size()));
}

Proxy::Impl::Impl(Proxy& self, const ProxyOptions& options, const Stores& stores, std::uint32_t worker, std::uint32_t worker_count,
                  RouteRunner& runner, Random random)
    : self_(self),
      options_(options),
      store_(stores.transactions),
      routes_(stores.routes),
      worker_(worker),
      worker_count_(worker_count),
      runner_(runner),
      random_(random) {
  PERDURE_ASSERT(!routes_ || routes_->partition_count() == store_.partition_count());
  for (const auto& socket : options_.sockets) {
    socket_keys_.push_back(socket.key());
    // Nobody can connect to a browser.
    if (socket.transport != Transport::Ws && socket.transport != Transport::Wss) reach_.add(socket.transport, socket.address.family);
  }
}

std::vector<store::KindInfo> store_kinds() {
  return {store::kind_info<transaction::TransactionHeader>(), store::kind_info<transaction::RouteHeader>()};
}

Frame& Proxy::Impl::push_frame(Outputs& outputs) {
  if (depth_ == frames_.size()) frames_.push_back(std::make_unique<Frame>(self_));
  Frame& frame = *frames_[depth_++];
  frame.edits.clear();
  frame.branch_edits.clear();
  frame.context.reset();
  frame.context.outputs = &outputs;
  return frame;
}

std::uint16_t Proxy::Impl::socket_from(std::uint32_t key, std::uint16_t fallback) const {
  const auto found = std::ranges::find(socket_keys_, key);
  return found == socket_keys_.end() ? fallback : static_cast<std::uint16_t>(found - socket_keys_.begin());
}

Proxy::Proxy(const ProxyOptions& options, const Stores& stores, std::uint32_t worker, std::uint32_t worker_count, RouteRunner& runner,
             Random random)
    : impl_(std::make_unique<Impl>(*this, options, stores, worker, worker_count, runner, random)) {}
Proxy::~Proxy() = default;

void Proxy::attach(Time now, Outputs& outputs) {
  impl_->attach(now, outputs);
}
void Proxy::on_received(const Received& received, Time now, Outputs& outputs) {
  impl_->on_received(received, now, outputs);
  if (impl_->record_mark_) *impl_->record_mark_ = store::RecordId::none.value;
}
void Proxy::on_undelivered(std::string_view bytes, Time now, Outputs& outputs) {
  impl_->on_undelivered(bytes, now, outputs);
  if (impl_->record_mark_) *impl_->record_mark_ = store::RecordId::none.value;
}
void Proxy::on_tick(Time now, Outputs& outputs) {
  impl_->on_tick(now, outputs);
}
Time Proxy::next_deadline() const {
  const auto& waits = impl_->wait_deadlines_;
  return std::min({impl_->wheel_.next(), impl_->route_wheel_.next(), waits.empty() ? never : waits.begin()->first});
}
bool Proxy::resume(std::uint64_t wait, Time now, Outputs& outputs) {
  return impl_->resume(wait, false, now, outputs);
}
std::size_t Proxy::waiting() const {
  return impl_->waits_.size();
}
void Proxy::outputs_sent() {
  impl_->outputs_sent();
}
void Proxy::set_local_listener(LocalListener* listener) {
  impl_->listener_ = listener;
}
void Proxy::set_neighbours(Neighbours neighbours) {
  impl_->neighbours_ = std::move(neighbours);
}
void Proxy::set_mailbox(Mailbox& mailbox) {
  impl_->mailbox_ = &mailbox;
}
const ProxyCounters& Proxy::counters() const {
  return impl_->counters_;
}
std::size_t Proxy::open_transactions() const {
  return impl_->index_.size();
}
std::vector<TransactionView> Proxy::transactions(std::size_t limit, Time now) const {
  return impl_->transactions(limit, now);
}
std::vector<std::size_t> Proxy::count_armed(std::uint32_t index, std::span<const std::string> names) const {
  return impl_->count_armed(index, names);
}
std::size_t Proxy::count_unanswered(std::uint32_t index) const {
  return impl_->count_unanswered(index);
}
void Proxy::set_drain(const Drain& drain) {
  impl_->drain_ = drain;
}
const Drain& Proxy::drain() const {
  return impl_->drain_;
}
const ProxyOptions& Proxy::options() const {
  return impl_->options_;
}
void Proxy::set_record_mark(std::uint32_t* mark) {
  impl_->record_mark_ = mark;
}
void Proxy::set_observer(Observer& observer) {
  impl_->observer_ = &observer;
}

bool Proxy::run_event(const ScriptEvent& event, Time now, Outputs& outputs) {
  return impl_->run_event(event, now, outputs);
}
bool Proxy::run_local_request(std::string& request, Time now, Outputs& outputs) {
  return impl_->run_local_request(request, now, outputs);
}

std::string Proxy::make_local_branch() {
  return fmt::format("{}{:016x}", local_branch_prefix, impl_->random_.next());
}

std::uint32_t partition_of(std::string_view message, std::uint32_t partition_count) {
  return sip::partition_of(message, partition_count);
}

}  // namespace perdure::proxy
