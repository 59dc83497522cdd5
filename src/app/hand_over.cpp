#include "app/hand_over.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/program.hpp"
#include "base/logging.hpp"

namespace perdure::app {
namespace {

using Json = nlohmann::json;
using Message = edge::DescriptorChannel::Message;

constexpr std::size_t sockets_max = 65536;
constexpr Duration send_patience = 5s;
constexpr std::string_view bytes_type = "connections", descriptors_type = "connection";

std::string facts_text(const HandOver& given) {
  return Json{{"config_path", given.config_path},
              {"live_folder", given.live_folder},
              {"live_bytes", given.live_bytes},
              {"engine_starts", given.engine_starts},
              {"started_us", given.started_us},
              {"workers", given.workers},
              {"connections_layout", given.connections_layout}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool read_facts(const std::string& text, HandOver& taken) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return false;
  try {
    taken.config_path = json.at("config_path").get<std::string>();
    taken.live_folder = json.at("live_folder").get<std::string>();
    taken.live_bytes = json.at("live_bytes").get<std::uint64_t>();
    taken.engine_starts = json.at("engine_starts").get<std::uint64_t>();
    taken.started_us = json.at("started_us").get<std::int64_t>();
    taken.workers = json.at("workers").get<std::uint32_t>();
    taken.connections_layout = json.value("connections_layout", 0U);
  } catch (const Json::exception&) {
    return false;
  }
  return true;
}

void close_all(const std::vector<int>& descriptors) {
  for (const int descriptor : descriptors) close(descriptor);
}

void close_all(const HandOver& taken) {
  for (const int descriptor : {taken.lock, taken.control, taken.configuration, taken.region, taken.metrics})
    if (descriptor >= 0) close(descriptor);
  for (const auto* many : {&taken.sockets, &taken.listeners, &taken.rings}) close_all(*many);
}

// False: it makes no sense. Types of a later version are skipped: what the edge before cannot do without, it does not hand over.
bool take(Message message, HandOver& taken, bool& facts) {
  if (message.type == "facts") {
    facts = read_facts(message.text, taken);
    close_all(message.descriptors);
    return facts;
  }
  for (const auto& [type, place] : {std::pair("udp", &taken.sockets), {"listeners", &taken.listeners}, {"rings", &taken.rings}})
    if (message.type == type) {
      place->insert(place->end(), message.descriptors.begin(), message.descriptors.end());
      return place->size() <= sockets_max;
    }
  for (const auto& [type, place] : {std::pair("lock", &taken.lock),
                                    {"control", &taken.control},
                                    {"configuration", &taken.configuration},
                                    {"region", &taken.region},
                                    {"metrics", &taken.metrics}})
    if (message.type == type && message.descriptors.size() == 1 && *place < 0) {
      *place = message.descriptors.front();
      return true;
    }
  log::warning("the edge before hands over '{}', which this one does not know", message.type);
  close_all(message.descriptors);
  return message.type != "truncated";
}

bool send_all(edge::DescriptorChannel& channel, std::string_view type, const std::vector<int>& descriptors) {
  bool sent = true;
  for (std::size_t at = 0; sent && at < descriptors.size(); at += edge::descriptors_per_message_max) {
    const auto end = std::min(at + edge::descriptors_per_message_max, descriptors.size());
    const auto begin = descriptors.begin();
    sent = channel.send(type, "", {begin + static_cast<std::ptrdiff_t>(at), begin + static_cast<std::ptrdiff_t>(end)});
  }
  return sent;
}

}  // namespace

bool send_hand_over(edge::DescriptorChannel& channel, const HandOver& given) {
  bool sent = channel.send("facts", facts_text(given)) && channel.send("lock", "", {given.lock}) &&
              channel.send("control", "", {given.control}) && channel.send("configuration", "", {given.configuration}) &&
              channel.send("region", "", {given.region}) && (given.metrics < 0 || channel.send("metrics", "", {given.metrics}));
  sent = sent && send_all(channel, "udp", given.sockets) && send_all(channel, "listeners", given.listeners) &&
         send_all(channel, "rings", given.rings);
  return sent && channel.send("complete");
}

Result<HandOver> receive_hand_over(edge::DescriptorChannel& channel, Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  HandOver taken;
  bool facts = false;
  const auto give_up = [&](const char* why) {
    close_all(taken);
    return fail(why);
  };
  for (;;) {
    auto message = channel.receive();
    if (message && message->type == "complete") break;
    if (message && !take(std::move(*message), taken, facts)) return give_up("the edge before hands over what makes no sense");
    if (message) continue;
    if (channel.ended()) return give_up("the edge before ended while it handed over");
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd waiting{channel.descriptor(), POLLIN, 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) == 0) return give_up("the edge before did not hand over in time");
  }
  if (!facts || taken.lock < 0 || taken.control < 0 || taken.configuration < 0 || taken.region < 0)
    return give_up("the edge before has not handed over all");
  return taken;
}

// What is known of them may be more than a message holds: it goes as a file in memory.
bool send_connections(edge::DescriptorChannel& channel, const edge::HandedConnections& given) {
  const auto file = share_text("perdure-connections", given.to_bytes());
  if (!file) {
    log::error("{}", file.error().message);
    return false;
  }
  const auto deadline = std::chrono::steady_clock::now() + send_patience;
  bool sent = channel.send(bytes_type, "", {*file}) && send_all(channel, descriptors_type, given.descriptors);
  // Not only when the socket has room: the number of descriptors on their way is limited, too.
  while (sent && channel.wants_write() && std::chrono::steady_clock::now() < deadline) {
    (void)poll(nullptr, 0, 1);
    sent = channel.flush();
  }
  close(*file);
  return sent && !channel.wants_write();
}

ConnectionsReceiver::~ConnectionsReceiver() {
  if (bytes_ >= 0) close(bytes_);
  close_all(descriptors_);
}

bool ConnectionsReceiver::take(const Message& message) {
  if (message.type == bytes_type && message.descriptors.size() == 1 && bytes_ < 0) {
    bytes_ = message.descriptors.front();
    return true;
  }
  if (message.type != descriptors_type) return false;
  descriptors_.insert(descriptors_.end(), message.descriptors.begin(), message.descriptors.end());
  return true;
}

Result<edge::HandedConnections> ConnectionsReceiver::connections() {
  if (bytes_ < 0) return edge::HandedConnections();
  const auto text = read_whole(bytes_);
  if (!text) return std::unexpected(text.error());
  return edge::HandedConnections::from_bytes(*text, std::exchange(descriptors_, {}));
}

}  // namespace perdure::app
