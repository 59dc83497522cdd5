#include "dispatch/locator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "locate/fake_names.hpp"

namespace perdure::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

class LocatorTest : public testing::Test {
 protected:
  LocatorTest() {
    names.add_address("gw.example.test", "192.0.2.7");
    names.add_service("_sip._tcp.set.example.test", 1, 5070, "gw.example.test");
    for (const auto transport : {Transport::Udp, Transport::Tcp})
      options.sockets.push_back({.transport = transport,
                                 .address = *SocketAddress::parse("192.0.2.100", 5060),
                                 .advertised_host = "192.0.2.100",
                                 .advertised_port = 5060});
    options.locating.names = &names;
    auto list =
        parse_list("1 sip:gw.example.test:5070\n1 sip:set.example.test\n1 sip:nowhere.example.test:5070\n1 sip:192.0.2.1:5060\n", "list");
    EXPECT_TRUE(list.has_value()) << list.error().message;
    dispatcher.replace(std::move(*list));
  }
  std::optional<std::vector<locate::Server>> servers_of(std::string_view uri) {
    const auto found = dispatcher.find(1, uri);
    return found ? dispatcher.servers_of(found.first()) : std::nullopt;
  }
  static locate::Server at(Transport transport, std::uint16_t port) { return {transport, *SocketAddress::parse("192.0.2.7", port)}; }

  locate::FakeNames names;
  proxy::ProxyOptions options;
  Dispatcher dispatcher{{}};
};

TEST_F(LocatorTest, FindsServersAndSaysWhereThereAreNone) {
  Locator locator(dispatcher, options);
  locator.on_tick();
  locator.on_tick();
  EXPECT_EQ(names.open.size(), 3U) << "one search for each name";
  EXPECT_EQ(servers_of("sip:gw.example.test:5070"), std::nullopt);
  names.answer();
  locator.on_tick();
  EXPECT_THAT(servers_of("sip:gw.example.test:5070"), Optional(ElementsAre(at(Transport::Udp, 5070))));
  EXPECT_THAT(servers_of("sip:set.example.test"), Optional(ElementsAre(at(Transport::Tcp, 5070))));
  EXPECT_THAT(servers_of("sip:nowhere.example.test:5070"), Optional(IsEmpty()));
  EXPECT_EQ(servers_of("sip:192.0.2.1:5060")->size(), 1U);
}

TEST_F(LocatorTest, KeepsThemUntilAnotherAnswerComes) {
  Locator locator(dispatcher, options);
  locator.on_tick();
  names.answer();
  locator.on_tick();
  names.forget();
  locator.on_tick();
  EXPECT_EQ(names.open.size(), 3U) << "asked again when their time is over";
  EXPECT_EQ(servers_of("sip:gw.example.test:5070")->size(), 1U);
}

TEST_F(LocatorTest, SourceOfARequestIsADestinationByName) {
  Locator locator(dispatcher, options);
  const auto source = *SocketAddress::parse("192.0.2.7", 5070);
  EXPECT_FALSE(dispatcher.is_from_list(source, Transport::Udp, 1));
  locator.on_tick();
  names.answer();
  locator.on_tick();
  const auto found = dispatcher.is_from_list(source, Transport::Udp, 1, 0);
  ASSERT_TRUE(found);
  EXPECT_EQ(found.first().uri, "sip:gw.example.test:5070");
  EXPECT_FALSE(dispatcher.is_from_list(*SocketAddress::parse("192.0.2.7", 5071), Transport::Udp, 1));
}

TEST_F(LocatorTest, SearchThatIsRefusedIsTriedAgain) {
  Locator locator(dispatcher, options);
  names.refuses = true;
  locator.on_tick();
  names.refuses = false;
  locator.on_tick();
  EXPECT_EQ(names.open.size(), 3U);
}

}  // namespace
}  // namespace perdure::dispatch
