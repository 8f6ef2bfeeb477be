// What a manager does with its copy on disk.

#include "config/manager_impl.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <utility>

namespace dynconf {

using clock = transport::clock;

namespace {

/// Reading the copy takes no longer than etcd is waited for. Within these bounds: a start that has little time for etcd can
/// do with the copy all the more.
constexpr std::chrono::milliseconds shortest_read{2'000}, longest_read{600'000};
/// Stopping ends within a second, with the last write.
constexpr std::chrono::milliseconds longest_last_write{900};

}  // namespace

/// Publishes the copy on disk, unless this manager has etcd's own content already. It is what `source::open` goes on from.
asio::awaitable<std::optional<known_content>> config_manager::impl::restore() {
    if (!disk) co_return std::nullopt;
    if (current().origin() == origin::etcd) {
        disk->not_read();
        co_return std::nullopt;
    }
    const auto limit = clock::now() + std::clamp(options.start_timeout, shortest_read, longest_read);
    const bool found = co_await disk->read(from->absolute(content_->schema().ranges()), limit);
    if (!found || phase_ != phase::starting || co_await transport::was_cancelled()) co_return std::nullopt;
    detail::kept_content& kept = disk->kept();
    auto outcome = content_->restore(current(), kept.good(), kept.refused_since(), kept.revision());
    kept.judged_again(outcome.rejected);
    known_content known = kept.known();
    {
        const std::lock_guard lock(mutex_);
        status_.cluster_id = known.cluster_id;
    }
    publish(std::move(outcome));
    if (known.cluster_id == 0) co_return std::nullopt;
    co_return known;
}

void config_manager::impl::begin_keeping() {
    if (!disk) return;
    disk->begin(from->absolute(content_->schema().ranges()));
    keeping_ = true;
    auto run = [self = shared_from_this()]() -> asio::awaitable<void> {
        const std::shared_ptr<impl> me = self;
        co_await me->disk->run();
    };
    auto ended = [self = shared_from_this()](const std::exception_ptr& thrown) {
        if (thrown) self->log_exception("the copy on disk", thrown);
        self->keeping_ = false;
        self->moved_.notify_all();
    };
    asio::co_spawn(strand, std::move(run), std::move(ended));
}

asio::awaitable<void> config_manager::impl::end_keeping() {
    if (!disk) co_return;
    disk->finish();
    while (keeping_) co_await moved_.wait();
}

void config_manager::impl::stop_waiting_for_disk() {
    if (disk) disk->give_up_by(clock::now() + longest_last_write);
}

/// A step of the source with data, before it is published: what it says supersedes what the copy on disk said.
void config_manager::impl::keep(const mirror_step& step, const std::vector<rejection>& refused) {
    if (disk) disk->keep(step, refused);
    if (phase_ != phase::starting) return;
    if (step.what == mirror_step::kind::snapshot) start_rejections_.clear();
    std::erase_if(start_rejections_, [&step](const rejection& r) {
        return std::any_of(step.events.begin(), step.events.end(), [&r](const event& e) { return e.kv.key == r.key; });
    });
}

/// The source says that nothing is missing: then a copy from disk has become etcd's content.
void config_manager::impl::confirm(const mirror_step& step) {
    if (current().origin() == origin::disk) {
        const snapshot base = current();
        loaded_ = true;
        publish(content_->confirm(base, base.revision()));
    }
    if (disk) disk->confirmed(step);
}

/// Of what was loaded from disk and has changed since: which names have no text.
void config_manager::impl::tell_of_cache(start_report& report) const {
    if (!disk) return;
    report.cache = disk->status().found;
    if (!report.cache.used() || report.origin == origin::environment) return;
    report.missing.clear();
    const snapshot now = current();
    for (const std::string& name : content_->schema().names()) {
        const std::string* key = content_->schema().key_of(name);
        const auto origin_of = now.info(name);
        if (key ? !disk->kept().contains(*key) : !origin_of || origin_of->from != origin::environment) report.missing.push_back(name);
    }
}

}  // namespace dynconf
