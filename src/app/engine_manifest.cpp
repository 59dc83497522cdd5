#include "app/engine_manifest.hpp"

#include <vector>

#include "htable/tables.hpp"
#include "proxy/proxy.hpp"
#include "store/format.hpp"

namespace perdure::app {
namespace {

const char* name_of(store::Kind kind) {
  switch (kind) {
    case store::Kind::None:
      return "none";
    case store::Kind::Transaction:
      return "transaction";
    case store::Kind::Route:
      return "route";
    case store::Kind::Dispatch:
      return "dispatch";
    case store::Kind::Dialog:
      return "dialog";
    case store::Kind::Binding:
      return "binding";
    case store::Kind::Table:
      return "table";
  }
  return "unknown";
}

void add(edge::Manifest& manifest, const std::vector<store::KindInfo>& kinds) {
  for (const auto& kind : kinds) {
    edge::Layout layout{name_of(kind.kind), kind.current.number, {}};
    if (kind.previous.number != 0) layout.reads.push_back(kind.previous.number);
    manifest.layouts.push_back(std::move(layout));
  }
}

}  // namespace

edge::Manifest engine_manifest() {
  edge::Manifest manifest{PERDURE_VERSION, {{"store", store::format_version, {}}}};
  add(manifest, proxy::store_kinds());
  add(manifest, htable::Tables::store_kinds());
  return manifest;
}

}  // namespace perdure::app
