#include "mock/client_scene.hpp"
#include "support/catch.hpp"
#include "support/fake_gateway.hpp"
#include "support/gateway_words.hpp"
#include "support/parallel.hpp"

#include <dynconf/search.hpp>

#include <atomic>
#include <string>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("search: a hard expression leaves the strand to others between keys, and says which it gave up", "[search]") {
    std::vector<std::string> keys;
    for (int i = 10; i < 30; ++i) keys.push_back(std::string(1000, 'a') + std::to_string(i));
    std::atomic<bool> answered{false};
    fake_gateway gateway;
    gateway.on(range_path, [&](const gateway_request& r) {
        if (r.number > 1) return json(range_body(5, {pair("b", "", 3)}));
        std::vector<std::string> pairs;
        for (const std::string& key : keys) pairs.push_back(pair(key, "", 3));
        gateway_answer first = json(range_body(5, pairs, true));
        first.steps.push_back({{}, 0ms, [&] { return answered = true; }});
        return first;
    });
    client_options o = options_for({gateway.url()});
    o.page_size = static_cast<std::int64_t>(keys.size());
    with_client(o, [&](client& c) -> asio::awaitable<void> {
        search_response found;
        error_code how;
        bool ended = false;
        search(c).find(key_range::all(), key_pattern::regex("(a|aa)+$|^b$"), {}, [&](const error_code& ec, search_response r) {
            how = ec;
            found = std::move(r);
            ended = true;
        });
        int turns = 0;
        // The next page is asked for when all keys of the first are done.
        co_await until([&] {
            turns += answered;
            return gateway.count(range_path) == 2;
        });
        CHECK(turns >= 10);
        co_await until([&] { return ended; });
        CHECK_FALSE(how);
        CHECK(found.undecided == keys);
        CHECK(found.kvs.size() == 1);
    });
}
