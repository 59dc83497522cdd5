// docs/store-format.md says what the code does: the records of this room.
#include <cstddef>

#include "store/document.hpp"
#include "transaction/record.hpp"
#include "transaction/route_record.hpp"

namespace perdure::transaction {
namespace {

using store::DocumentedField;
using store::expect_table;

TEST(RecordFormat, Transaction) {
#define FIELD(field) PERDURE_FIELD(TransactionHeader, field)
  expect_table("### Transaction header",
               {FIELD(key),         FIELD(connection), FIELD(pending),     FIELD(created),      FIELD(retransmit_at),  FIELD(expire_at),
                FIELD(source),      FIELD(reply_to),   FIELD(socket_key),  FIELD(nonce),        FIELD(loop_hash),      FIELD(flags),
                FIELD(interval_ms), FIELD(state),      FIELD(method),      FIELD(branch_count), FIELD(canceled),       FIELD(status),
                FIELD(switches),    FIELD(request),    FIELD(response),    FIELD(context),      FIELD(cancel_headers), FIELD(targets),
                FIELD(branches),    FIELD(unused),     FIELD(force_rport), FIELD(reserved),     FIELD(branch)});
#undef FIELD
  EXPECT_EQ(sizeof(TransactionHeader), 288U);
  EXPECT_EQ(TransactionHeader::layout, 2U);
  EXPECT_EQ(branches_max, 16U);
  EXPECT_EQ(pending_request(2), std::uint64_t{1} << 7);
  EXPECT_EQ(pending_cancel(2), std::uint64_t{1} << 8);
  EXPECT_EQ(pending_ack(2), std::uint64_t{1} << 9);
  EXPECT_EQ(static_cast<int>(State::Terminated), 7);
}

TEST(RecordFormat, Branch) {
#define FIELD(field) PERDURE_FIELD(Branch, field)
  expect_table("### Branch", {FIELD(destination),
                              FIELD(socket_key),
                              FIELD(state),
                              FIELD(cancel_state),
                              FIELD(cancel_wanted),
                              FIELD(timed_out),
                              FIELD(status),
                              FIELD(q),
                              FIELD(flags),
                              FIELD(interval_ms),
                              FIELD(cancel_interval_ms),
                              FIELD(attempt),
                              FIELD(dropped),
                              FIELD(reports_failure),
                              FIELD(unreachable),
                              FIELD(retransmit_at),
                              FIELD(expire_at),
                              FIELD(cancel_retransmit_at),
                              FIELD(cancel_expire_at),
                              FIELD(request),
                              FIELD(response),
                              FIELD(connection),
                              FIELD(server_name),
                              FIELD(fallback_socket_key),
                              FIELD(transport),
                              FIELD(located),
                              FIELD(record_routed),
                              FIELD(reserved)});
#undef FIELD
}

TEST(RecordFormat, Address) {
  expect_table("### Address", {PERDURE_FIELD(SocketAddress, ip), PERDURE_FIELD(SocketAddress, port), PERDURE_FIELD(SocketAddress, family),
                               PERDURE_FIELD(SocketAddress, reserved)});
}

TEST(RecordFormat, Route) {
#define FIELD(field) PERDURE_FIELD(RouteHeader, field)
  expect_table("## The route record",
               {FIELD(key), FIELD(expire_at), FIELD(destination), FIELD(source), FIELD(reply_to), FIELD(socket_key),
                FIELD(upstream_socket_key), FIELD(record), FIELD(nonce), FIELD(loop), FIELD(branch), FIELD(state), FIELD(breadth),
                FIELD(text), FIELD(canceled), FIELD(upstream_connection), FIELD(connection), FIELD(server_name)});
#undef FIELD
  EXPECT_EQ(RouteHeader::layout, 2U);
}

}  // namespace
}  // namespace perdure::transaction
