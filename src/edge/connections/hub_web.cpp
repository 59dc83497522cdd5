// WebSocket in the hub.
#include <utility>

#include "edge/connections/hub.hpp"

namespace perdure::edge {

std::size_t Hub::upgrade(Connection& connection, std::string_view bytes) {
  UpgradeResult result = read_upgrade(bytes, options_.web_origins);
  switch (result.kind) {
    case UpgradeResult::Kind::NeedMore:
      break;
    case UpgradeResult::Kind::Refused:
      answer_and_end(connection, std::move(result.reply), counters_.closed_upgrade_refused);
      break;
    case UpgradeResult::Kind::Accepted:
      enqueue(connection, Outgoing::own(std::move(result.reply)));
      if (connection.state != Connection::State::Upgrade) break;
      connection.web.emplace(options_.message_bytes_max);
      on_open(connection);
      break;
  }
  return result.consumed;
}

std::size_t Hub::consume_frames(Connection& connection, std::span<char> bytes) {
  std::size_t consumed = 0;
  while (connection.state == Connection::State::Open && !connection.stalled) {
    const bool assembling = connection.web->is_assembling();
    WebFrame frame = connection.web->next(bytes.subspan(consumed));
    switch (frame.kind) {
      case WebFrame::Kind::NeedMore:
        return consumed;
      case WebFrame::Kind::Message:
        on_web_message(connection, frame.message);
        break;
      case WebFrame::Kind::Fragment:
        if (!assembling) connection.message_since = now_;
        break;
      case WebFrame::Kind::Answer:
        counters_.pings.add();
        connection.active = now_;
        enqueue(connection, Outgoing::own(std::move(frame.answer)));
        break;
      case WebFrame::Kind::Ignored:
        on_pong(connection);
        connection.active = now_;
        break;
      case WebFrame::Kind::Close:
        answer_and_end(connection, std::move(frame.answer), frame.failed ? counters_.closed_malformed : counters_.closed_by_peer);
        break;
    }
    consumed += frame.consumed;
  }
  return consumed;
}

// One message in each (RFC 7118 5), or a keep-alive as on a stream.
void Hub::on_web_message(Connection& connection, std::string_view message) {
  if (message.find_first_not_of("\r\n") != std::string_view::npos) return on_message(connection, message);
  connection.active = now_;
  if (message.size() < 4) return;
  counters_.pings.add();
  enqueue(connection, Outgoing::own(WebSocket::header_of("\r\n") + "\r\n"));
}

}  // namespace perdure::edge
