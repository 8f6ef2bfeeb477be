#pragma once

#include <dynconf/dynconf.hpp>
#include <dynconf/testing/fake_etcd.hpp>
#include <dynconf/testing/simulated_world.hpp>

#include "support/catch.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A client of a fake etcd, in simulated time.

namespace dynconf::simulation_test {

namespace asio = boost::asio;
using namespace dynconf::testing;
using namespace std::chrono_literals;

inline const auto tupled = asio::as_tuple(asio::use_awaitable);

struct fake_scene {
    explicit fake_scene(const fake_etcd_options& how = {}) : etcd(world, how) { options.endpoints = etcd.urls(); }

    /// The client is there for the length of `body`, and all it has logged thereafter.
    void play(const std::function<asio::awaitable<void>(client&)>& body) {
        options.log = [this](const log_record& r) { logged.push_back(std::string(r.event) + ": " + r.text); };
        world.run([&]() -> asio::awaitable<void> {
            client c(world.get_executor(), options);
            co_await body(c);
        });
    }
    std::size_t times_logged(std::string_view what) const {
        std::size_t n = 0;
        for (const std::string& line : logged) n += line.find(what) != std::string::npos ? 1 : 0;
        return n;
    }

    simulated_world world;
    fake_etcd etcd;
    client_options options;
    std::vector<std::string> logged;
};

inline fake_etcd_options three_members() {
    fake_etcd_options how;
    how.members = 3;
    return how;
}

inline asio::awaitable<mirror_step> next_of(mirror& m, mirror_step::kind what) {
    for (;;) {
        mirror_step s = co_await m.next();
        if (s.what == what) co_return s;
    }
}

/// "k=v", and "-k" for what was deleted.
inline std::string shown(const std::vector<event>& events) {
    std::string all;
    for (const event& e : events) all += (all.empty() ? "" : " ") + (e.type == event::kind::erase ? "-" + e.kv.key : e.kv.key + "=" + e.kv.value);
    return all;
}

}  // namespace dynconf::simulation_test
