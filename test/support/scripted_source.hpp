#pragma once

#include <dynconf/config/source.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dynconf::test {

namespace asio = boost::asio;

/// A source that says what the test pushes, and waits, cancellably, when there is nothing. push() and what it counts
/// are safe from any thread.
class scripted_source final : public source {
public:
    void push(mirror_step step) {
        const std::lock_guard lock(mutex_);
        steps_.push_back(std::move(step));
        wake();
    }
    /// The next next() ends by this.
    void push(std::exception_ptr thrown) {
        const std::lock_guard lock(mutex_);
        thrown_ = std::move(thrown);
        wake();
    }
    /// The next open() throws.
    void refuse_to_open() {
        const std::lock_guard lock(mutex_);
        refuses_ = true;
    }

    /// All that was pushed has been taken and acted upon.
    bool drained() const { return read(waits_) && left() == 0; }
    std::size_t left() const {
        const std::lock_guard lock(mutex_);
        return steps_.size();
    }
    unsigned opened() const { return read(opened_); }
    unsigned closed() const { return read(closed_); }
    /// Cancelled waits.
    unsigned cancelled() const { return read(cancelled_); }
    std::vector<key_range> ranges() const { return read(ranges_); }
    /// What the last open() was given to go on from.
    std::optional<known_content> known() const { return read(known_); }

    void open(std::vector<key_range> ranges, const known_content* known) override {
        const std::lock_guard lock(mutex_);
        ++opened_;
        ranges_ = std::move(ranges);
        known_ = known ? std::optional(*known) : std::nullopt;
        if (std::exchange(refuses_, false)) throw std::runtime_error("no way in");
    }

    asio::awaitable<mirror_step> next() override {
        const asio::any_io_executor executor = co_await asio::this_coro::executor;
        const auto timer = std::make_shared<asio::steady_timer>(executor, std::chrono::steady_clock::time_point::max());
        for (;;) {
            {
                const std::lock_guard lock(mutex_);
                waits_ = false;
                waiting_.reset();
                if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
                if (!steps_.empty()) {
                    mirror_step first = std::move(steps_.front());
                    steps_.pop_front();
                    co_return first;
                }
                waits_ = true;
                waiting_ = timer;
            }
            co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
            const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none) {
                const std::lock_guard lock(mutex_);
                waits_ = false;
                waiting_.reset();
                ++cancelled_;
                throw boost::system::system_error(asio::error::operation_aborted);
            }
        }
    }

    void close() noexcept override {
        const std::lock_guard lock(mutex_);
        ++closed_;
    }

private:
    template <class T>
    T read(const T& member) const {
        const std::lock_guard lock(mutex_);
        return member;
    }
    void wake() {
        if (const auto timer = waiting_.lock()) asio::post(timer->get_executor(), [timer] { timer->cancel(); });
    }

    mutable std::mutex mutex_;
    std::deque<mirror_step> steps_;
    std::exception_ptr thrown_;
    std::weak_ptr<asio::steady_timer> waiting_;   // owned by the waiting coroutine, which may go with its context
    std::vector<key_range> ranges_;
    std::optional<known_content> known_;
    bool refuses_ = false;
    bool waits_ = false;
    unsigned opened_ = 0;
    unsigned closed_ = 0;
    unsigned cancelled_ = 0;
};

// Steps

struct pair { std::string key; std::string text; };

inline key_value made(const pair& p, revision_t revision) {
    key_value kv;
    kv.key = p.key;
    kv.value = p.text;
    kv.create_revision = kv.mod_revision = revision;
    return kv;
}

inline mirror_step loaded(revision_t revision, const std::vector<pair>& all, std::uint64_t cluster_id = 7) {
    mirror_step s;
    s.what = mirror_step::kind::snapshot;
    s.revision = revision;
    s.cluster_id = cluster_id;
    for (const pair& p : all) s.content.push_back(made(p, revision));
    return s;
}

inline mirror_step changed(revision_t revision, const std::vector<pair>& put,
    const std::vector<std::string>& erased = {}, mirror_step::kind what = mirror_step::kind::update) {
    mirror_step s;
    s.what = what;
    s.revision = revision;
    s.cluster_id = 7;
    for (const pair& p : put) {
        event& e = s.events.emplace_back();
        e.kv = made(p, revision);
    }
    for (const std::string& key : erased) {
        event& e = s.events.emplace_back();
        e.type = event::kind::erase;
        e.kv.key = key;
        e.kv.mod_revision = revision;
    }
    return s;
}

inline mirror_step resynced(
    revision_t revision, const std::vector<pair>& put, const std::vector<std::string>& erased = {}) {
    return changed(revision, put, erased, mirror_step::kind::resync);
}

inline mirror_step connected(std::string endpoint = "http://one:2379") {
    mirror_step s;
    s.what = mirror_step::kind::connected;
    s.cluster_id = 7;
    s.endpoint = std::move(endpoint);
    return s;
}

inline mirror_step interrupted(error_code why = asio::error::connection_refused, std::string detail = {}) {
    mirror_step s;
    s.what = mirror_step::kind::interrupted;
    s.cause = {why, std::move(detail)};
    return s;
}

}  // namespace dynconf::test
