#include "config/disk_cache.hpp"

#include "policy/disk_patience.hpp"
#include "transport/offload.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace dynconf::detail {

namespace {

constexpr const char* no_answer = "the disk does not answer";
/// A disk that says nothing for this long must not keep a start from asking etcd.
constexpr std::chrono::milliseconds longest_silence{2'000};

/// Keeps a copy's age, and the revision to go on from, fresh while etcd confirms it.
std::chrono::milliseconds renewal(std::chrono::seconds max_age) {
    const std::chrono::milliseconds often = std::chrono::hours(1);
    return max_age.count() > 0 && max_age < std::chrono::hours(8) ? std::chrono::milliseconds(max_age) / 8 : often;
}

}  // namespace

disk_cache::disk_cache(etcd::strand on, cache_options options, log_sink log)
    : strand_(std::move(on)), files_(std::move(options.path), {}, std::move(options.seal)), max_age_(options.max_age), events_(std::move(log)),
      pacing_(options.write_every, renewal(options.max_age)), wake_(strand_) {}

cache_status disk_cache::status() const {
    const std::lock_guard lock(mutex_);
    return status_;
}

void disk_cache::log(log_level level, std::string_view event, std::string text, std::initializer_list<log_field> fields) {
    events_.write(level, event, std::move(text), fields, clock::now());
}

asio::awaitable<bool> disk_cache::read(std::vector<key_range> ranges, clock::time_point limit) {
    give_up_ = limit;
    repair_ = false;
    policy::cache_demands want;
    want.ranges = std::move(ranges);
    want.now = std::chrono::system_clock::now();
    want.max_age = max_age_;
    const auto patience = std::make_shared<policy::disk_patience>(longest_silence, clock::now());
    std::function<result<cache_files::choice>()> work = [files = files_, want = std::move(want), patience] {
        return files.read(want, [&patience](bool asked) {
            if (asked) patience->asked(clock::now());
            else patience->not_needed();
        });
    };
    std::function<clock::time_point()> until = [this, patience] { return std::min(give_up_, patience->due(clock::now())); };
    result<cache_files::choice> answer = co_await transport::offload<cache_files::choice>(strand_, wake_, std::move(work), std::move(until), no_answer);
    cache_finding found;
    if (answer) {
        found = answer->found;
    } else {
        found.current = cache_verdict::unreadable;
        found.cause = answer.error();
    }
    {
        const std::lock_guard lock(mutex_);
        status_.found = found;
    }
    generations_.found(found.current);
    if (found.cause.code)
        log(log_level::warning, "cache_refused", std::string(to_string(found.current)) + ": " + found.cause.message(),
            {{"verdict", std::string(to_string(found.current))}, {"cause", found.cause.message()}});
    if (!found.used()) co_return false;
    kept_ = kept_content(std::move(answer->copy.content));
    as_of_ = found.as_of;
    repair_ = found.current != cache_verdict::usable;
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now() - as_of_);
    pacing_.loaded(clock::now(), std::max(age, std::chrono::milliseconds(0)));
    log(found.clock_went_back ? log_level::warning : log_level::info, "cache_loaded",
        "revision " + std::to_string(found.revision) + (repair_ ? ", the previous generation" : "")
            + (found.clock_went_back ? ", confirmed at a time that is still to come: the clock was set back" : ""),
        {{"revision", std::to_string(found.revision)}});
    co_return true;
}

void disk_cache::not_read() {
    const std::lock_guard lock(mutex_);
    status_.found = {};
}

void disk_cache::changed() {
    as_of_ = std::chrono::system_clock::now();
    repair_ = false;
    pacing_.changed(clock::now());
    wake_.notify_all();
}

void disk_cache::keep(const mirror_step& step, const std::vector<rejection>& refused) {
    if (step.what == mirror_step::kind::snapshot) kept_.load(step.content, step.revision, step.cluster_id, refused);
    else kept_.apply(step.events, step.revision, step.cluster_id, refused);
    changed();
}

void disk_cache::confirmed(const mirror_step& step) {
    if (kept_.unchanged_until(step.known, step.cluster_id)) pacing_.outdated();
    if (repair_) return changed();
    as_of_ = std::chrono::system_clock::now();
    pacing_.confirmed();
    wake_.notify_all();   // it may be old enough to be renewed
}

void disk_cache::finish() noexcept {
    finishing_ = true;
    wake_.notify_all();
}

void disk_cache::give_up_by(clock::time_point limit) noexcept {
    give_up_ = limit;
    wake_.notify_all();
}

void disk_cache::begin(std::vector<key_range> ranges) {
    ranges_ = std::move(ranges);
    finishing_ = false;
    give_up_ = clock::time_point::max();
}

asio::awaitable<void> disk_cache::run() {
    while (!finishing_) {
        const auto due = pacing_.due();
        if (due && *due <= clock::now()) co_await write();
        else co_await wake_.wait(due.value_or(clock::time_point::max()));
    }
    if (pacing_.dirty() && clock::now() < give_up_) co_await write();
}

asio::awaitable<void> disk_cache::write() {
    cache_copy copy;
    copy.content = kept_.image();
    copy.ranges = ranges_;
    copy.as_of = as_of_;
    const revision_t revision = copy.content.revision;
    pacing_.begun(clock::now());
    std::function<result<void>()> work = [files = files_, copy = std::move(copy), rotate = generations_.may_rotate()] {
        return files.write(encode_cache(copy, files.ring()), rotate);
    };
    std::function<clock::time_point()> until = [this] { return give_up_; };
    const result<void> done = co_await transport::offload<void>(strand_, wake_, std::move(work), std::move(until), no_answer);
    const error why = done ? error{} : done.error();
    bool news = false;   // a disk that stays full is told once
    {
        const std::lock_guard lock(mutex_);
        news = why.code != status_.last_error.code || why.detail != status_.last_error.detail;
        status_.last_error = why;
        const auto now = std::chrono::system_clock::now();
        if (done) {
            ++status_.writes;
            status_.revision = revision;
            status_.written = now;
        } else {
            ++status_.failures;
            status_.failed = now;
        }
    }
    if (done) {
        pacing_.succeeded(clock::now());
        generations_.written();
        log(news ? log_level::info : log_level::debug, "cache_written", "revision " + std::to_string(revision),
            {{"revision", std::to_string(revision)}});
    } else {
        pacing_.failed(clock::now());
        generations_.failed();
        if (news) log(log_level::warning, "cache_write_failed", why.message(), {{"cause", why.message()}});
    }
}

}  // namespace dynconf::detail
