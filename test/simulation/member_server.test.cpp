#include "support/catch.hpp"

#include "testing/member_server.hpp"
#include "testing/memory_stream.hpp"
#include "testing/simulation.hpp"
#include "transport/clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <string>

using namespace dynconf;
using namespace dynconf::testing;

namespace {

const std::string body = R"({"key":"aw==","value":")" + std::string(1000, 'A') + R"("})";
const std::string put = "POST /v3/kv/put HTTP/1.1\r\nHost: m\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;

/// A client's end of a connection whose next request is cut at `at`, and what becomes of two pieces of a request.
struct cut_scene {
    explicit cut_scene(std::size_t at) {
        server->plan = [at](const request& r) {
            exchange_fault f;
            if (r.path == "/v3/kv/put") f.cut_request = at;
            return f;
        };
        auto [mine, its] = memory_stream::make_pair(world.io().get_executor(), world.io().get_executor());
        near = std::move(mine);
        server->serve({std::move(its), [](transport::byte_stream& s) { static_cast<memory_stream&>(s).reset(); }});
    }
    ~cut_scene() {
        server->close();
        settle();
    }
    void settle() { world.run([] { return false; }, world.now() + std::chrono::seconds(1)); }

    /// False: nobody takes it any more.
    bool send(std::string_view piece) {
        boost::system::error_code failed;
        asio::co_spawn(world.io(), [&]() -> asio::awaitable<void> {
            auto [ec, n] = co_await near->write_some(asio::buffer(piece));
            failed = ec;
        }, asio::detached);
        settle();
        return !failed;
    }

    simulation world{1};
    gateway serves;
    std::shared_ptr<member_server> server = std::make_shared<member_server>(world.io().get_executor(), serves, "m", seeded_random(1));
    std::unique_ptr<memory_stream> near;
};

}  // namespace

TEST_CASE("a request is read up to where it is cut, and no further", "[member_server]") {
    const std::size_t head = put.find("\r\n\r\n") + 4;
    for (const std::size_t at : {std::size_t{0}, std::size_t{20}, head + 5, head + 500, put.size() - 1}) {
        INFO("cut at " << at << " of " << put.size());
        cut_scene s(at);
        const std::size_t first = std::max(at, head) + (at < put.size() - 1 ? 1 : 0);
        CHECK(s.send(std::string_view(put).substr(0, first)));
        CHECK_FALSE(s.send(std::string_view(put).substr(first)));
        CHECK(s.serves.cluster().store().revision() == 1);
    }
    for (const std::size_t at : {head + 500, put.size(), put.size() + 100}) {
        INFO("cut at " << at << " of " << put.size());
        cut_scene s(at);
        CHECK(s.send(std::string_view(put).substr(0, head + 400)));
        CHECK(s.send(std::string_view(put).substr(head + 400, 50)));
        CHECK(s.send(std::string_view(put).substr(head + 450)));
        CHECK(s.serves.cluster().store().revision() == (at < put.size() ? 1 : 2));
    }
}
