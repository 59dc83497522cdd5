#pragma once
#include "proxy/proxy.hpp"
#include "script/vm.hpp"

namespace perdure::script {

// The listen address by which the message of the callback came.
inline const proxy::LocalSocket& receiving_socket(const Call& call) {
  return call.context().proxy.options().sockets[call.context().received->socket];
}

}  // namespace perdure::script
