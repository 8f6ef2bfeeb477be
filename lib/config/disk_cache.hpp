#pragma once

#include <dynconf/config/cache.hpp>
#include <dynconf/config/rejection.hpp>
#include <dynconf/mirror.hpp>

#include "config/cache_files.hpp"
#include "config/kept_content.hpp"
#include "etcd/spawn.hpp"
#include "policy/cache_choice.hpp"
#include "policy/event_log.hpp"
#include "policy/write_pacing.hpp"
#include "transport/condition.hpp"

#include <chrono>
#include <mutex>
#include <string_view>
#include <vector>

namespace dynconf::detail {

namespace asio = boost::asio;

/// Keeps the last good content on disk. All on the manager's strand, but for status(); what blocks runs on threads of its
/// own, one at a time, each for the length of one read or write.
class disk_cache {
public:
    using clock = transport::clock;

    disk_cache(etcd::strand on, cache_options options, log_sink log);

    /// Reads the newest usable generation into kept(); false when there is none, not by `limit`, or when the disk hangs.
    asio::awaitable<bool> read(std::vector<key_range> ranges, clock::time_point limit);
    /// This start has no need of it.
    void not_read();
    kept_content& kept() noexcept { return kept_; }

    /// What etcd delivered, and the schema's refusals of it.
    void keep(const mirror_step& step, const std::vector<rejection>& refused);
    /// What is kept is etcd's content as of now, and at that revision.
    void confirmed(const mirror_step& step);

    /// From begin() on, run() writes what changed, at the pace of the options, until finish(), and then what is left.
    void begin(std::vector<key_range> ranges);
    asio::awaitable<void> run();
    void finish() noexcept;
    /// No wait for the disk lasts longer than this.
    void give_up_by(clock::time_point limit) noexcept;

    cache_status status() const;

private:
    asio::awaitable<void> write();
    void changed();
    void log(log_level level, std::string_view event, std::string text, std::initializer_list<log_field> fields);

    const etcd::strand strand_;
    const cache_files files_;
    const std::chrono::seconds max_age_;
    policy::event_log events_;

    // strand
    kept_content kept_;
    std::vector<key_range> ranges_;
    policy::write_pacing pacing_;
    policy::cache_generations generations_;
    std::chrono::system_clock::time_point as_of_{};
    bool repair_ = false;   // the previous generation was used: the current one is bad
    bool finishing_ = false;
    clock::time_point give_up_ = clock::time_point::max();
    transport::condition wake_;

    // mutex
    mutable std::mutex mutex_;
    cache_status status_;
};

}  // namespace dynconf::detail
