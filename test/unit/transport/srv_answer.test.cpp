#include "transport/srv_lookup.hpp"

#include "support/catch.hpp"
#include "support/dns_responder.hpp"

#include <span>
#include <string>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
using transport::parse_srv_answer;
using records = std::vector<policy::srv_record>;

namespace {

policy::srv_answer parsed(const std::string& bytes) {
    // In memory of exactly that size: what is read beyond it the sanitizer sees.
    const std::vector<unsigned char> exact(bytes.begin(), bytes.end());
    return parse_srv_answer(exact);
}

const std::string name = "_etcd-client._tcp.example.com";
const std::size_t first_record = 12 + name.size() + 2 + 4;   // header, question
const dns_reply two{0, {{10, 5, 2379, "a.example.com"}, {20, 0, 2380, "b.example.com"}}};

/// As it came from a name server that shortens names, the target's too, and follows an alias first.
const std::string recorded(
    "\x3a\x41\x81\x80\x00\x01\x00\x02\x00\x00\x00\x01"
    "\x0c_etcd-client\x04_tcp\x07" "example\x03" "com\x00\x00\x21\x00\x01"
    "\xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c\x00\x07\x04real\xc0\x1e"
    "\xc0\x3b\x00\x21\x00\x01\x00\x00\x01\x2c\x00\x0c\x00\x0a\x00\x3c\x09\x4b\x03" "db1\xc0\x1e"
    "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00", 12 + 35 + 19 + 24 + 11);

std::string with(std::string bytes, std::size_t at, char byte) {
    bytes.at(at) = byte;
    return bytes;
}

}  // namespace

TEST_CASE("srv answer: the records of a good one", "[transport][srv]") {
    const auto good = parsed(dns_message(name, two));
    REQUIRE(good);
    CHECK(*good == records{{10, 5, 2379, "a.example.com"}, {20, 0, 2380, "b.example.com"}});
    const auto real = parsed(recorded);
    REQUIRE(real);
    CHECK(*real == records{{10, 60, 2379, "db1.example.com"}});
    const auto away = parsed(dns_message(name, {0, {{0, 0, 0, "."}}}));
    REQUIRE(away);
    CHECK(*away == records{{0, 0, 0, ""}});
}

TEST_CASE("srv answer: none, and why not", "[transport][srv]") {
    const auto none = [](const policy::srv_answer& a) { return a && a->empty(); };
    const auto says = [](const policy::srv_answer& a, const char* words) {
        return !a && a.error().code == errc::discovery_failed && a.error().detail.find(words) != std::string::npos;
    };
    CHECK(none(parsed(dns_message(name, no_such_name()))));
    CHECK(none(parsed(dns_message(name, {}))));
    CHECK(says(parsed(dns_message(name, {2, {}})), "SERVFAIL"));
    CHECK(says(parsed(dns_message(name, {5, {}})), "REFUSED"));
    CHECK(says(parsed(dns_message(name, {9, two.records})), "code 9"));
    CHECK(says(parsed(with(dns_message(name, two), 2, '\x83')), "cut short"));
    CHECK(says(parsed(with(dns_message(name, two), 2, '\x01')), "damaged"));   // a query
    CHECK(says(parsed({}), "damaged"));
}

TEST_CASE("srv answer: records of another kind are passed over", "[transport][srv]") {
    const std::string whole = dns_message(name, two);
    const auto other_type = parsed(with(whole, first_record + 3, '\x01'));
    REQUIRE(other_type);
    CHECK(*other_type == records{{20, 0, 2380, "b.example.com"}});
    const auto other_class = parsed(with(whole, first_record + 5, '\x03'));
    REQUIRE(other_class);
    CHECK(*other_class == records{{20, 0, 2380, "b.example.com"}});
}

TEST_CASE("srv answer: one that is cut anywhere gives no record", "[transport][srv]") {
    for (const std::string& whole : {dns_message(name, two), recorded.substr(0, recorded.size() - 11)})
        for (std::size_t size = 0; size < whole.size(); ++size) {
            INFO(size);
            CHECK_FALSE(parsed(whole.substr(0, size)));
        }
}

TEST_CASE("srv answer: hostile ones end in an error, or in names that no endpoint has", "[transport][srv]") {
    const std::string whole = dns_message(name, two);
    const std::size_t length = first_record + 10, target = length + 2 + 6;
    CHECK_FALSE(parsed(with(whole, 7, '\x7f')));          // more records than there are
    CHECK_FALSE(parsed(with(whole, length + 1, '\x06')));   // data without a target
    CHECK_FALSE(parsed(with(whole, length + 1, '\x03')));
    CHECK_FALSE(parsed(with(whole, length, '\x40')));     // data past the end
    CHECK_FALSE(parsed(with(whole, target, '\x3f')));     // a label past the data
    CHECK_FALSE(parsed(with(with(whole, target, '\xc0'), target + 1, static_cast<char>(target))));   // a name that is itself
    CHECK_FALSE(parsed(with(with(whole, target, '\xff'), target + 1, '\xff')));                      // one past the end
    CHECK_FALSE(parsed(with(with(whole, first_record, '\xc0'), first_record + 1, static_cast<char>(first_record))));
    CHECK_FALSE(parsed(with(whole, target, '\x00')));     // the root, and more behind it
    const auto odd = parsed(dns_message(name, {0, {{0, 0, 1, "a/b@c d"}}}));
    if (odd) CHECK(odd->at(0).target != "a/b@c d");
    // Each byte with each value: nothing but an answer or an error.
    std::size_t answers = 0;
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (int value = 0; value < 256; ++value)
            if (parsed(with(whole, at, static_cast<char>(value)))) ++answers;
    CHECK(answers > 0);
}
