#pragma once

#include <dynconf/mirror.hpp>

#include "etcd/client_core.hpp"
#include "etcd/kv_calls.hpp"
#include "etcd/watch_subscription.hpp"
#include "policy/backoff.hpp"
#include "policy/freshness.hpp"
#include "policy/looks.hpp"
#include "policy/replica.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dynconf::etcd {

/// Lists, watches, and lists again where the watch has lost its history; proves that the content is current, and says
/// when it cannot. On the core's strand, one next() at a time.
class mirror_core {
public:
    using clock = client_core::clock;

    mirror_core(const view& through, std::vector<key_range> ranges);

    /// Goes on from there instead of listing. Before the first next().
    void resume(const known_content& from);

    /// An error only when cancelled.
    asio::awaitable<result<mirror_step>> next();

private:
    using maybe_step = std::optional<mirror_step>;

    asio::awaitable<result<maybe_step>> load();
    asio::awaitable<result<range_response>> list(range_options options, std::optional<brief> limits);
    asio::awaitable<maybe_step> on(watch_subscription::connected& up);
    maybe_step on(watch_subscription::batch& news);
    maybe_step on(const watch_subscription::probed& proof);
    asio::awaitable<maybe_step> look();
    asio::awaitable<void> verify();
    asio::awaitable<bool> store_went_back(const response_header& confirmed);
    clock::time_point wake_at() const noexcept;
    clock::time_point soon() const noexcept;
    std::optional<watch_subscription::look_request> wanted_look() const noexcept;
    maybe_step prove(clock::time_point as_of);
    maybe_step prove_unchanged(revision_t revision, clock::time_point as_of);
    mirror_step step(mirror_step::kind what) const;
    mirror_step interrupted(error cause, std::chrono::milliseconds pause);
    void list_again(mirror_step::reason why);
    void next_verification(clock::time_point now);
    bool concerns_us(const event& e) const noexcept;
    void look_for_missing_keys(const mirror_step& step);

    view through_;
    std::shared_ptr<client_core> core_;
    std::vector<key_range> ranges_;
    std::vector<key_range> ranges_at_etcd_;   // the same without the view
    watch_subscription watch_;
    policy::replica replica_;
    policy::freshness freshness_;
    policy::catch_up catch_up_;
    policy::look_along look_along_;
    policy::backoff list_backoff_;
    std::chrono::milliseconds pause_{0};
    std::string endpoint_;                 // of the watch
    bool watched_ = false;                 // a confirmed watch
    bool live_ = false;                    // the last that was said is `connected` or `verified`
    bool told_ = false;   // that there is nothing to load from
    bool listed_once_ = false;
    bool list_needed_ = true;
    bool reloaded_ = false;                // and not connected since
    mirror_step::reason reason_ = mirror_step::reason::none;   // of the next list
    revision_t sought_ = 0;                // the store has it, and nothing up to it may be missing
    clock::time_point sought_since_{};     // it had it then
    revision_t looked_at_ = 0;             // known at the last look
    clock::time_point known_since_{};      // when the newest known revision came
    clock::time_point verify_at_ = clock::time_point::max();
    clock::time_point reread_at_ = clock::time_point::max();   // the key provider failed; a list then
};

}  // namespace dynconf::etcd
