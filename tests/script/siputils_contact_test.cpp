// KSR.siputils: Contacts that carry where they lead.
#include <gmock/gmock.h>

#include "evaluate.hpp"

namespace perdure::script {
namespace {

using testing::HasSubstr;
using Pair = std::pair<std::string, std::string>;

// The Contact that leaves, and what the function returned.
Pair changed(const std::string& contact, const std::string& call) {
  Bench bench("function ksr_request_route()\nlocal r = KSR.siputils." + call +
              "\nKSR.hdr.append('X-Result: ' .. r .. '\\r\\n')\nKSR.tm.t_relay()\nend\n");
  Request request;
  request.method = "MESSAGE";
  request.headers = "Max-Forwards: 70\r\n" + (contact.empty() ? "" : "Contact: " + contact + "\r\n");
  const auto sent = bench.receive(request);
  const auto* out = first(sent, "MESSAGE");
  return out ? Pair(out->header("Contact"), out->header("X-Result")) : Pair(bench.runner().counters().last_error, "nothing was sent");
}
std::string request_uri_after(const std::string& uri, const std::string& call) {
  Request request;
  request.uri = uri;
  return evaluate("KSR.siputils." + call + " .. ' ' .. KSR.pv.get('$ru')", request);
}

TEST(HiddenContacts, CarryTheirUriInTheUser) {
  const std::string encode = "encode_contact('enc', '192.0.2.1')";
  EXPECT_EQ(changed("<sip:alice:pw@10.0.0.1:5070;transport=tcp;x=y>;expires=60, <sip:b@10.0.0.2>", encode),
            Pair("<sip:enc*alice*pw*10.0.0.1*5070*tcp@192.0.2.1>;expires=60, <sip:enc*b**10.0.0.2**@192.0.2.1>", "1"));
  EXPECT_EQ(changed("sip:10.0.0.1", encode), Pair("sip:enc***10.0.0.1**@192.0.2.1", "1"));
  EXPECT_EQ(changed("<sips:a@h>", encode), Pair("<sips:a@h>", "-1"));
  EXPECT_EQ(changed("", encode), Pair("", "-1"));
  EXPECT_THAT(changed("<sip:a@h>", "encode_contact('enc', 'a b')").first, HasSubstr("is no host"));

  EXPECT_EQ(changed("<sip:enc*alice*pw*10.0.0.1*5070*tcp@192.0.2.1;x=y>", "decode_contact_header()"),
            Pair("<sip:alice:pw@10.0.0.1:5070;transport=tcp;x=y>", "1"));
  EXPECT_EQ(changed("<sip:alice@10.0.0.1>", "decode_contact_header()"), Pair("<sip:alice@10.0.0.1>", "-26"));
  EXPECT_EQ(request_uri_after("sip:enc*alice*pw*10.0.0.1*5070*tcp@127.0.0.1:9;x=y", "decode_contact()"),
            "string 1 sip:alice:pw@10.0.0.1:5070;transport=tcp;x=y");
  EXPECT_EQ(request_uri_after("sip:enc*alice**10.0.0.1**@127.0.0.1", "decode_contact()"), "string 1 sip:alice@10.0.0.1");
  EXPECT_EQ(request_uri_after("sip:alice@10.0.0.1", "decode_contact()"), "string -26 sip:alice@10.0.0.1");
  EXPECT_EQ(request_uri_after("sip:10.0.0.1", "decode_contact()"), "string -23 sip:10.0.0.1");
  EXPECT_EQ(request_uri_after("sip:enc**pw*10.0.0.1**@h", "decode_contact()"), "string -3 sip:enc**pw*10.0.0.1**@h");
  EXPECT_EQ(request_uri_after("sip:enc*a*b*c*d*e*f@h", "decode_contact()"), "string -24 sip:enc*a*b*c*d*e*f@h");
  EXPECT_EQ(request_uri_after("sip:enc*a*****@h", "decode_contact()").substr(0, 10), "string -24");
  EXPECT_EQ(request_uri_after("sip:enc*a****@h", "decode_contact()").substr(0, 9), "string -2");
}

TEST(HiddenContacts, CarryTheirUriInAParameter) {
  EXPECT_EQ(changed("<sip:alice:pw@10.0.0.1:5070;transport=tcp;x=y>;expires=60", "contact_param_encode('ct', 'sip:192.0.2.1:5060')"),
            Pair("<sip:192.0.2.1:5060;ct=c2lwOmFsaWNlOnB3QDEwLjAuMC4xOjUwNzA7dHJhbnNwb3J0PXRjcDt4PXk>;expires=60", "1"));
  EXPECT_EQ(changed("sip:alice@10.0.0.1", "contact_param_encode('ct', 'sip:192.0.2.1:5060')"),
            Pair("<sip:192.0.2.1:5060;ct=c2lwOmFsaWNlQDEwLjAuMC4x>", "1"));
  EXPECT_EQ(changed("", "contact_param_encode('ct', 'sip:192.0.2.1')"), Pair("", "1"));
  EXPECT_THAT(changed("<sip:a@h>", "contact_param_encode('ct', 'nothing')").first, HasSubstr("is no URI"));

  const std::string hidden = "sip:192.0.2.1:5060;CT=c2lwOmFsaWNlQDEwLjAuMC4xOjUwNzA7dHJhbnNwb3J0PXRjcA";
  EXPECT_EQ(changed("<" + hidden + ">", "contact_param_decode('ct')"), Pair("<sip:alice@10.0.0.1:5070;transport=tcp>", "1"));
  EXPECT_EQ(changed("<sip:a@h;ct=!!>", "contact_param_decode('ct')"), Pair("<sip:a@h;ct=!!>", "-1"));
  EXPECT_EQ(changed("<sip:a@h>", "contact_param_decode('ct')"), Pair("<sip:a@h>", "1"));
  EXPECT_EQ(request_uri_after(hidden, "contact_param_decode_ruri('ct')"), "string 1 sip:alice@10.0.0.1:5070;transport=tcp");
  EXPECT_EQ(request_uri_after("sip:a@h;x=y", "contact_param_decode_ruri('ct')"), "string 1 sip:a@h;x=y");
  EXPECT_EQ(changed("<sip:a@h;z=1;ct=x?h=v>;ct=5", "contact_param_rm('CT')"), Pair("<sip:a@h;z=1?h=v>;ct=5", "1"));
}

TEST(Date, IsComparedWithTheClock) {
  const auto check = [](const std::string& date) {
    Request request;
    request.headers += date;
    return evaluate("KSR.siputils.hdr_date_check(60)", request);
  };
  // The clock of the bench stands at 1795476251 seconds.
  EXPECT_EQ(check("Date: Mon, 23 Nov 2026 23:24:41 GMT\r\n"), "number 1");
  EXPECT_EQ(check("Date: Mon, 23 Nov 2026 23:23:01 GMT\r\n"), "number -4");
  EXPECT_EQ(check("Date: yesterday\r\n"), "number -1");
  EXPECT_EQ(check(""), "number -1");
}

}  // namespace
}  // namespace perdure::script
