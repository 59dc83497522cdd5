#include "locate/servers.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

#include "base/case.hpp"
#include "base/random.hpp"

namespace perdure::locate {
namespace {

constexpr std::size_t services_max = 16;
constexpr Transport plain_transports[] = {Transport::Udp, Transport::Tcp, Transport::Tls};
constexpr Transport secure_transports[] = {Transport::Tls};

std::string_view service_prefix(Transport transport) {
  switch (transport) {
    case Transport::Udp:
      return "_sip._udp.";
    case Transport::Tcp:
      return "_sip._tcp.";
    case Transport::Tls:
      return "_sips._tcp.";
    case Transport::Ws:
    case Transport::Wss:
      break;
  }
  return {};  // RFC 7118 knows no service names of WebSocket
}

// RFC 3263 4.1, RFC 7118 8.1.
std::optional<Transport> transport_of_service(std::string_view service) {
  constexpr struct {
    std::string_view service;
    Transport transport;
  } services[] = {{"SIP+D2U", Transport::Udp},
                  {"SIP+D2T", Transport::Tcp},
                  {"SIPS+D2T", Transport::Tls},
                  {"SIP+D2W", Transport::Ws},
                  {"SIPS+D2W", Transport::Wss}};
  for (const auto& one : services)
    if (equals_ignore_case(one.service, service)) return one.transport;
  return std::nullopt;
}

bool is_secure(Transport transport) {
  return transport == Transport::Tls || transport == Transport::Wss;
}

// Of the URI, or the usual one of its scheme. Nullopt: sips over UDP, and there is no such thing as DTLS here.
std::optional<Transport> transport_of(const Destination& destination) {
  if (!destination.transport) return destination.secure ? Transport::Tls : Transport::Udp;
  if (!destination.secure) return destination.transport;
  switch (*destination.transport) {
    case Transport::Udp:
      return std::nullopt;
    case Transport::Ws:
    case Transport::Wss:
      return Transport::Wss;
    case Transport::Tcp:
    case Transport::Tls:
      break;
  }
  return Transport::Tls;
}

// RFC 2782: by priority, and among equals by chance in proportion to the weight.
std::vector<Service> in_order(std::vector<Service> services, Random& random) {
  std::ranges::stable_sort(services, [](const Service& a, const Service& b) {
    return a.priority != b.priority ? a.priority < b.priority : (a.weight == 0) > (b.weight == 0);
  });
  for (auto first = services.begin(); first != services.end();) {
    const auto end = std::find_if(first, services.end(), [&](const Service& one) { return one.priority != first->priority; });
    for (; first != end; ++first) {
      std::uint64_t sum = 0;
      for (auto it = first; it != end; ++it) sum += it->weight;
      const std::uint64_t chosen = random.below(sum + 1);
      std::uint64_t running = 0;
      auto it = first;
      while ((running += it->weight) < chosen) ++it;
      std::rotate(first, it, it + 1);  // those with weight 0 stay in front of the rest
    }
  }
  return services;
}

class Search {
 public:
  Search(const Destination& destination, const Reach& reach, const Policy& policy, Answers& answers, std::uint64_t random)
      : destination_(destination), reach_(reach), policy_(policy), answers_(answers), random_(random) {}

  Servers run() {
    search();
    if (!result_.missing.empty()) result_.servers.clear();
    return std::move(result_);
  }

 private:
  void search() {
    const auto chosen = transport_of(destination_);
    if (!chosen) return;
    const Transport usual = *chosen;
    const auto transport = destination_.transport ? chosen : std::nullopt;
    if (transport && !reach_.has(*transport)) return;
    if (auto numeric = SocketAddress::parse(destination_.host, destination_.port ? destination_.port : default_port(usual))) {
      if (numeric->is_unicast()) add(usual, *numeric);
      return;
    }
    const auto name = canonical_name(destination_.host);
    if (!name) return;
    name_ = *name;
    if (destination_.port) return (void)add_host(usual, name_, destination_.port);  // 4.2: an explicit port needs addresses only
    if (!transport && policy_.use_naptr && by_naptr()) return;
    if (policy_.use_srv && by_srv(transport)) return;
    (void)add_host(usual, name_, default_port(usual));
  }

  // Null: it is missing.
  AnswerPointer ask(RecordType type, std::string name) {
    Question question{type, std::move(name)};
    AnswerPointer answer = answers_.find(question);
    if (!answer && std::ranges::find(result_.missing, question) == result_.missing.end()) result_.missing.push_back(std::move(question));
    return answer;
  }

  // False: there are none that we understand, so SRV comes next.
  bool by_naptr() {
    const auto answer = ask(RecordType::Naptr, name_);
    if (!answer) return true;
    std::vector<std::pair<const Pointer*, Transport>> usable;
    for (const Pointer& pointer : answer->pointers) {
      const auto transport = transport_of_service(pointer.service);
      if (!transport || !reach_.has(*transport) || (destination_.secure && !is_secure(*transport))) continue;
      if (!equals_ignore_case(pointer.flags, "s") || !pointer.regexp.empty() || pointer.replacement.empty()) continue;
      usable.emplace_back(&pointer, *transport);
    }
    std::ranges::stable_sort(usable, [](const auto& a, const auto& b) {
      return std::pair(a.first->order, a.first->preference) < std::pair(b.first->order, b.first->preference);
    });
    if (usable.size() > policy_.servers_max) usable.resize(policy_.servers_max);
    for (const auto& [pointer, transport] : usable) {
      const auto services = ask(RecordType::Srv, pointer->replacement);
      if (!services) return true;
      add_services(transport, *services);
      if (!result_.missing.empty() || !result_.servers.empty()) return true;
    }
    return !usable.empty();
  }

  // False: there are none, so addresses come next. A set that says "not offered" is one.
  bool by_srv(std::optional<Transport> wanted) {
    std::vector<Transport> transports;
    if (wanted) {
      transports.push_back(*wanted);
    } else if (destination_.secure) {
      transports.assign(std::begin(secure_transports), std::end(secure_transports));
    } else {
      transports.assign(std::begin(plain_transports), std::end(plain_transports));
    }
    std::vector<std::pair<Transport, AnswerPointer>> sets;
    for (const Transport transport : transports) {
      const auto prefix = service_prefix(transport);
      if (prefix.empty() || !reach_.has(transport)) continue;
      auto answer = ask(RecordType::Srv, std::string(prefix) + name_);
      if (answer && answer->kind == Answer::Kind::Records) sets.emplace_back(transport, std::move(answer));
    }
    if (!result_.missing.empty()) return true;
    for (const auto& [transport, answer] : sets) {
      add_services(transport, *answer);
      if (!result_.missing.empty() || !result_.servers.empty()) return true;
    }
    return !sets.empty();
  }

  void add_services(Transport transport, const Answer& answer) {
    std::vector<Service> services = answer.services;
    std::erase_if(services, [](const Service& one) { return one.target.empty(); });
    // The same ones are left of a large set whatever the chance: what has been looked up once is what is used then.
    std::ranges::sort(services, [](const Service& a, const Service& b) {
      return std::tuple(a.priority, b.weight, std::string_view(a.target), a.port) <
             std::tuple(b.priority, a.weight, std::string_view(b.target), b.port);
    });
    services.erase(std::ranges::unique(services).begin(), services.end());
    if (services.size() > services_max) services.resize(services_max);
    services = in_order(std::move(services), random_);
    for (const Service& service : services) add_host(transport, service.target, service.port);
  }

  void add_host(Transport transport, const std::string& name, std::uint16_t port) {
    Family families[] = {Family::IPv4, Family::IPv6};
    if (policy_.prefer_ipv6) std::swap(families[0], families[1]);
    for (const Family family : families) {
      if (!reach_.has(transport, family)) continue;
      const auto answer = ask(family == Family::IPv4 ? RecordType::A : RecordType::Aaaa, name);
      if (!answer) continue;
      // Several addresses of a name share the load, too.
      std::vector<SocketAddress> addresses = answer->addresses;
      for (std::size_t i = addresses.size(); i > 1; --i) std::swap(addresses[i - 1], addresses[random_.below(i)]);
      for (SocketAddress address : addresses) {
        address.port = port;
        add(transport, address);
      }
    }
  }

  void add(Transport transport, const SocketAddress& address) {
    if (!reach_.has(transport, address.family) || result_.servers.size() >= policy_.servers_max) return;
    const Server server{transport, address};
    if (std::ranges::find(result_.servers, server) == result_.servers.end()) result_.servers.push_back(server);
  }

  const Destination& destination_;
  const Reach& reach_;
  const Policy& policy_;
  Answers& answers_;
  Random random_;
  std::string name_;
  Servers result_;
};

}  // namespace

std::optional<Destination> Destination::of(const sip::Uri& uri) {
  if (uri.scheme != sip::Scheme::Sip && uri.scheme != sip::Scheme::Sips) return std::nullopt;
  Destination destination;
  destination.secure = uri.scheme == sip::Scheme::Sips;
  destination.port = uri.port;
  std::string_view host = uri.host;
  if (!uri.params.empty()) {
    if (const auto maddr = uri.param("maddr")) host = *maddr;
    if (const auto transport = uri.param("transport")) {
      destination.transport = transport_from(*transport);
      if (!destination.transport) return std::nullopt;
    }
  }
  destination.host.assign(host);
  return destination;
}

Servers locate(const Destination& destination, const Reach& reach, const Policy& policy, Answers& answers, std::uint64_t random) {
  return Search(destination, reach, policy, answers, random).run();
}

std::optional<Server> numeric_server(const Destination& destination) {
  const auto transport = transport_of(destination);
  if (!transport) return std::nullopt;
  const auto address = SocketAddress::parse(destination.host, destination.port ? destination.port : default_port(*transport));
  if (!address || !address->is_unicast()) return std::nullopt;
  return Server{*transport, *address};
}

std::uint16_t default_port(Transport transport) {
  switch (transport) {
    case Transport::Udp:
    case Transport::Tcp:
      return 5060;
    case Transport::Tls:
      return 5061;
    case Transport::Ws:
      return 80;
    case Transport::Wss:
      return 443;
  }
  return 5060;
}

AnswerPointer AnswerSet::find(const Question& question) {
  for (const auto& [known, answer] : answers_)
    if (known == question) return answer;
  static const AnswerPointer failed = std::make_shared<const Answer>();
  return complete_ ? failed : nullptr;
}

void AnswerSet::put(const Question& question, AnswerPointer answer) {
  for (auto& [known, old] : answers_)
    if (known == question) {
      old = std::move(answer);
      return;
    }
  answers_.emplace_back(question, std::move(answer));
}

}  // namespace perdure::locate
