#pragma once

#include <dynconf/kv.hpp>

#include "mock/client_scene.hpp"
#include "support/catch.hpp"
#include "support/fake_gateway.hpp"
#include "support/gateway_words.hpp"
#include "support/parallel.hpp"

#include <atomic>
#include <chrono>
#include <string>

namespace dynconf::test {

using namespace std::chrono_literals;

/// Hands out token-1, token-2, ... and takes only the last one.
struct token_keeper {
    std::atomic<int> issued{0};
    std::atomic<bool> revoked{false};

    void install(fake_gateway& gateway, std::chrono::milliseconds bcrypt = 5ms) {
        gateway.on(auth_path, [this, bcrypt](const auto&) {
            revoked = false;
            return token_answer("token-" + std::to_string(++issued)).after(bcrypt);
        });
    }
    bool accepts(const gateway_request& r) const {
        return !revoked && r.header("Authorization") == "token-" + std::to_string(issued);
    }
};

inline asio::awaitable<void> read_once(kv& store) {
    const key_range key = key_range::key("k");
    auto answer = co_await store.range(key);
    CHECK(answer.header.revision == 5);
}

inline asio::awaitable<void> write_once(kv& store) {
    const std::string key = "k", value = "v";
    co_await store.put(key, value);
}

inline error failed_read(const client_options& options) {
    error e;
    with_client(options, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        e = co_await failure_of([&] { return read_once(store); });
    });
    return e;
}

inline error failed_write(const client_options& options) {
    error e;
    with_client(options, [&](client& c) -> asio::awaitable<void> {
        kv store(c);
        e = co_await failure_of([&] { return write_once(store); });
    });
    return e;
}

inline const auto empty_range = [](const gateway_request&) { return json(range_body(5)); };
inline const auto good_put = [](const gateway_request&) { return json("{" + header(6) + "}"); };

}  // namespace dynconf::test
