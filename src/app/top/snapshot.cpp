#include "app/top/snapshot.hpp"

#include <fmt/format.h>

namespace perdure::app::top {
namespace {

using admin::Json;

// Members of an answer; a server of another version may leave some out.
const Json& member(const Json& object, const char* name) {
  static const Json none;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? none : *found;
}
std::uint64_t number(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_number() ? value.get<std::uint64_t>() : 0;
}
std::string text(const Json& object, const char* name) {
  const Json& value = member(object, name);
  return value.is_string() ? value.get<std::string>() : value.is_null() ? std::string() : admin::to_text(value);
}

void read_numbers(const Json& object, std::map<std::string, std::uint64_t>& into, const std::string& prefix = {}) {
  if (!object.is_object()) return;
  for (const auto& [name, value] : object.items())
    if (value.is_number_integer() && value >= 0) into[prefix + name] = value.get<std::uint64_t>();
}

void read_status(const Json& status, Snapshot& snapshot) {
  snapshot.version = text(status, "version");
  snapshot.uptime_s = number(status, "uptime_s");
  snapshot.edge = number(member(status, "pids"), "edge");
  snapshot.engine = number(member(status, "pids"), "engine");
  snapshot.starts = number(status, "engine_starts");
  snapshot.longest_pause_us = number(status, "longest_pause_us");
  const Json& last = member(status, "last_start");
  snapshot.recovered = number(last, "recovered");
  snapshot.last_pause_us = number(last, "pause_us");
  snapshot.last_reason = text(last, "reason");
  snapshot.open = number(status, "transactions");
  snapshot.waiting = number(status, "waiting");
  snapshot.store_used = number(member(status, "store"), "used_bytes");
  snapshot.store_max = number(member(status, "store"), "max_bytes");
  if (member(member(status, "drain"), "on") == true) snapshot.drain = "draining";
  if (const Json& listen = member(status, "listen"); listen.is_array())
    for (const auto& one : listen)
      snapshot.listen += (snapshot.listen.empty() ? "" : " ") + (one.is_string() ? one.get<std::string>() : "");
  read_numbers(member(member(status, "connections"), "open"), snapshot.connections);
}

void read_latency(const Json& latency, Snapshot& snapshot) {
  if (!latency.is_object()) return;
  for (const auto& [name, value] : latency.items()) {
    const Json& buckets = member(value, "buckets");
    auto& distribution = snapshot.latency[name];
    for (std::size_t i = 0; buckets.is_array() && i < std::min(buckets.size(), distribution.buckets.size()); ++i)
      if (buckets[i].is_number_unsigned()) distribution.buckets[i] = buckets[i].get<std::uint64_t>();
    distribution.sum_ns = number(value, "sum_ns");
  }
}

void read_calls(const Json& calls, Snapshot& snapshot) {
  if (!calls.is_array()) return;
  for (const auto& one : calls) {
    Call call{text(one, "call_id"),
              text(one, "method"),
              text(one, "state"),
              text(one, "from"),
              text(one, "to"),
              text(one, "request_uri"),
              "",
              static_cast<std::int64_t>(number(one, "age_ms"))};
    if (const Json& branches = member(one, "branches"); branches.is_array())
      for (const auto& branch : branches)
        call.branches += fmt::format("{}{} {}{}", call.branches.empty() ? "" : ", ", text(branch, "destination"), text(branch, "state"),
                                     number(branch, "status") ? fmt::format(" {}", number(branch, "status")) : "");
    snapshot.calls.push_back(std::move(call));
  }
}

void read_gateways(const Json& list, Snapshot& snapshot) {
  const Json& records = member(list, "RECORDS");
  if (!records.is_array()) return;
  for (const auto& record : records) {
    const Json& set = member(record, "SET");
    const Json& targets = member(set, "TARGETS");
    for (std::size_t i = 0; targets.is_array() && i < targets.size(); ++i) {
      const Json& destination = member(targets[i], "DEST");
      snapshot.gateways.push_back({text(set, "ID"), text(destination, "URI"), text(destination, "FLAGS"), number(destination, "LOAD"),
                                   number(destination, "FAILURES")});
    }
  }
}

}  // namespace

Snapshot read(const Answers& answers, std::chrono::steady_clock::time_point at) {
  Snapshot snapshot;
  snapshot.at = at;
  snapshot.reached = answers.status.is_object();
  read_status(answers.status, snapshot);
  read_numbers(answers.counters, snapshot.counters);
  for (const char* request : {"INVITE", "other"})
    read_numbers(member(answers.responses, request), snapshot.codes, std::string(request) + " ");
  read_latency(answers.latency, snapshot);
  read_calls(answers.calls, snapshot);
  read_gateways(answers.gateways, snapshot);
  return snapshot;
}

double Rates::per_second(const std::string& counter) const {
  const auto found = counters.find(counter);
  return found == counters.end() ? 0 : found->second;
}

Rates between(const Snapshot& before, const Snapshot& after) {
  Rates rates;
  rates.seconds = std::chrono::duration<double>(after.at - before.at).count();
  if (!before.reached || !after.reached || rates.seconds <= 0) return rates;
  const auto grown = [&](const auto& from, const auto& to, auto& into) {
    for (const auto& [name, value] : to) {
      const auto old = from.find(name);
      const std::uint64_t base = old == from.end() ? 0 : old->second;
      into[name] = value > base ? static_cast<double>(value - base) / rates.seconds : 0;
    }
  };
  grown(before.counters, after.counters, rates.counters);
  grown(before.codes, after.codes, rates.codes);
  for (const auto& [name, now] : after.latency) {
    auto& part = rates.latency[name];
    const auto old = before.latency.find(name);
    for (std::size_t i = 0; i < now.buckets.size(); ++i) {
      const std::uint64_t base = old == before.latency.end() ? 0 : old->second.buckets[i];
      part.buckets[i] = now.buckets[i] > base ? now.buckets[i] - base : 0;
    }
  }
  return rates;
}

}  // namespace perdure::app::top
