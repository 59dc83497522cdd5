#include <fstream>
#include <sstream>
#include <unordered_map>

#include "net/resolver.hpp"

namespace perdure::net {

namespace {
constexpr std::size_t names_max = 10'000;
}

// A name in it has the addresses that stand there and no others.
void read_hosts_file(const std::string& path, locate::Cache& cache) {
  std::ifstream file(path);
  std::unordered_map<std::string, std::vector<SocketAddress>> names;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    if (!(words >> word)) continue;
    const auto address = SocketAddress::parse(word, 0);
    if (!address || !address->is_unicast()) continue;
    while (words >> word) {
      const auto name = locate::canonical_name(word);
      if (!name || (names.size() >= names_max && !names.contains(*name))) continue;
      auto& addresses = names[*name];
      if (addresses.size() < locate::records_max) addresses.push_back(*address);
    }
  }
  for (const auto& [name, addresses] : names)
    for (const auto type : {locate::RecordType::A, locate::RecordType::Aaaa}) {
      locate::Answer answer;
      for (const auto& address : addresses)
        if ((address.family == Family::IPv4) == (type == locate::RecordType::A)) answer.addresses.push_back(address);
      answer.kind = answer.addresses.empty() ? locate::Answer::Kind::None : locate::Answer::Kind::Records;
      cache.put_fixed({type, name}, std::move(answer));
    }
}

}  // namespace perdure::net
