#pragma once

#include <dynconf/mirror.hpp>

#include "etcd/client_core.hpp"
#include "etcd/watch_loop.hpp"
#include "policy/backoff.hpp"
#include "policy/replica.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace dynconf::etcd {

/// Lists, watches, and lists again where the watch has lost its history. On the core's strand, one next() at a time.
class mirror_core {
public:
    mirror_core(std::shared_ptr<client_core> core, std::vector<key_range> ranges);

    /// Goes on from there instead of listing. Before the first next().
    void resume(const known_content& from);

    /// An error only when cancelled.
    asio::awaitable<result<mirror_step>> next();

private:
    asio::awaitable<result<range_response>> list();
    asio::awaitable<result<mirror_step>> load();
    asio::awaitable<bool> store_went_back(const response_header& confirmed);
    bool concerns_us(const event& e) const noexcept;

    std::shared_ptr<client_core> core_;
    std::vector<key_range> ranges_;
    watch_loop watch_;
    policy::replica replica_;
    policy::backoff list_backoff_;
    std::chrono::milliseconds pause_{0};
    bool told_ = false;   // that there is nothing to load from
    bool listed_once_ = false;
    bool list_needed_ = true;
};

}  // namespace dynconf::etcd
