#include "mock/client_scene.hpp"
#include "support/catch.hpp"
#include "support/fake_gateway.hpp"
#include "support/gateway_words.hpp"

#include <dynconf/key_ring.hpp>
#include <dynconf/passphrase.hpp>

#include <boost/asio/as_tuple.hpp>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("passphrase: a record that was made anew gives another id", "[passphrase]") {
    fake_gateway gateway;   // whose record is gone each time
    gateway.on(range_path, [](const auto&) { return json(range_body(1)); });
    gateway.on(txn_path, [](const auto&) { return json("{" + header(2) + ",\"succeeded\":true,\"responses\":[{\"response_put\":{}}]}"); });
    with_client(options_for({gateway.url()}), [](client& c) -> asio::awaitable<void> {
        const passphrase before(c, "/keys/1", "correct horse"), after(c, "/keys/1", "correct horse");
        const std::string old_id = co_await before.id("2026"), new_id = co_await after.id("2026");
        CHECK(old_id.size() == 4 + 1 + 8);
        CHECK(old_id.starts_with("2026-"));
        CHECK(old_id != new_id);
        const std::string again = co_await before.id("2026");
        CHECK(again == old_id);

        const secret old_key = co_await before.key(), new_key = co_await after.key();
        const key_ring reader(old_id, sealing_key(old_key)), writer(new_id, sealing_key(new_key));
        const auto unknown = reader.open("/k", writer.seal("/k", "v"));
        CHECK(unknown.error().code == errc::unknown_key_id);
        CHECK(unknown.error().message().find(new_id) != std::string::npos);

        for (const std::string& bad : {std::string(), std::string("with space"), std::string(56, 'x')}) {
            auto [ec, id] = co_await before.id(bad, asio::as_tuple(asio::use_awaitable));
            CHECK(ec == errc::invalid_argument);
        }
        const std::string longest = co_await before.id(std::string(55, 'x'));
        CHECK(longest.size() == key_ring::most_id_size);
    });
}

TEST_CASE("passphrase: where none is to be made, a missing record is an error", "[passphrase]") {
    fake_gateway gateway;
    gateway.on(range_path, [](const auto&) { return json(range_body(1)); });
    with_client(options_for({gateway.url()}), [](client& c) -> asio::awaitable<void> {
        passphrase_options known;
        known.make_record = false;
        const passphrase words(c, "/keys/1", "correct horse", known);
        auto [ec, key] = co_await words.key(asio::as_tuple(asio::use_awaitable));
        CHECK(ec == server_errc::key_not_found);
    });
    CHECK(gateway.count(txn_path) == 0);
}
