#include "simulation/stage.hpp"

#include <dynconf/config/manager.hpp>
#include <dynconf/config/schema.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/watch.hpp>

#include <string>
#include <utility>
#include <vector>

// Those who look on: watches, mirrors, managers.

namespace dynconf::simulation_test {

namespace {

using testing::observer;
using testing::sight;

class looker {
public:
    looker(stage& s, std::size_t c, seeded_random random, std::string name, observer::kind what)
        : stage_(s), client_(s.client_of(c)), random_(random), reached_(s.observes(name)), farewell_(s.farewell()) {
        me_.name = std::move(name);
        me_.what = what;
    }
    ~looker() { stage_.record().observers.push_back(std::move(me_)); }
    looker(const looker&) = delete;
    looker& operator=(const looker&) = delete;

    asio::awaitable<void> watch() {
        const bool one = random_.chance(0.3);
        const key_range range = one ? key_range::key(key(random_.below(key_count))) : key_range::prefix(keys);
        watch_options how;
        how.prev_kv = random_.chance(0.5);
        how.fragment = random_.chance(0.2);
        if (random_.chance(0.2)) (random_.chance(0.5) ? how.no_put : how.no_delete) = true;
        me_.ranges.push_back(range);
        me_.prev_kv = how.prev_kv;
        me_.no_put = how.no_put;
        me_.no_delete = how.no_delete;
        reached_.no_put = how.no_put;
        // A watch from "now" has no bound for what it must show: it begins where a read ended.
        while (!stage_.closing()) {
            const auto from = co_await present();
            if (!from) continue;
            how.start_revision = *from + 1;
            see({.what = sight::kind::started, .at = stage_.now(), .revision = how.start_revision});
            reached_.revision = *from;
            reached_.live = true;
            watcher w(client_, range, how);
            const bool lost = co_await follow(w);
            if (!lost) break;
            see({.what = sight::kind::ended, .at = stage_.now(), .end = testing::ending::history_lost});
            // What it missed is gone: another one begins at the present.
            observer next = me_;
            next.seen.clear();
            stage_.record().observers.push_back(std::exchange(me_, std::move(next)));
        }
    }

    asio::awaitable<void> mirror_all() {
        std::vector<key_range> ranges;
        if (random_.chance(0.7)) {
            ranges.push_back(key_range::prefix(keys));
        } else {
            ranges.push_back(key_range::key(key(1)));
            ranges.push_back(key_range::interval(key(3), key(6)));
        }
        me_.ranges = ranges;
        see({.what = sight::kind::started, .at = stage_.now(), .revision = 0});
        mirror m(client_, ranges);
        while (!stage_.closing()) {
            co_await rest();
            if (stage_.closing()) break;
            impatient();
            auto token = asio::bind_cancellation_slot(farewell_.slot(), in_tuple);
            auto [ec, step] = co_await m.next(token);
            if (ec) continue;
            take(step);
        }
        lapse(stage_.now());
    }

    asio::awaitable<void> manage() {
        me_.ranges.push_back(key_range::prefix(keys));
        see({.what = sight::kind::started, .at = stage_.now(), .revision = 0});
        manager_options how;
        how.start_timeout = 3'000ms;
        how.look_up = [](const std::string&) { return std::nullopt; };
        const auto schema = std::make_shared<prefix_schema>("/s");
        config_manager manager(stage_.executor(), schema, etcd_source(client_), how);
        const subscription changes = manager.subscribe([this](const snapshot&, const snapshot& after) { show(after); });
        const subscription states = manager.subscribe_status([this, &manager](const status& s) {
            show(manager.current());   // the first one changes nothing that one could be told of
            show(s);
        });
        {
            const stage::doing now(stage_, reached_.name + " starts");
            auto [ec, report] = co_await manager.start(in_tuple);
            if (ec) stage_.fault(reached_.name + ": start failed: " + ec.message());
        }
        show(manager.current());
        show(manager.status());
        while (!stage_.closing()) co_await stage_.sleep(250ms);
        const stage::doing now(stage_, reached_.name + " stops");
        co_await manager.stop(in_tuple);
    }

private:
    void see(sight what) {
        stage_.say([&] { return reached_.name + " sees " + words(what); });
        const revision_t told = what.what == sight::kind::started ? what.revision - 1 : what.revision;
        if (told > stage_.cluster().store().revision()) stage_.fault(reached_.name + ": revision " + std::to_string(told) + " has yet to come");
        me_.seen.push_back(std::move(what));
    }

    static std::string words(const sight& s) {
        static constexpr const char* names[] = {"the start", "batch", "bookmark", "snapshot", "resync", "live", "stale", "the end"};
        std::string text = names[static_cast<int>(s.what)];
        if (s.revision != 0) text += " " + std::to_string(s.revision);
        for (const event& e : s.events)
            text += (e.type == event::kind::put ? " +" : " -") + e.kv.key + "@" + std::to_string(e.kv.mod_revision);
        for (const key_value& kv : s.content) text += " " + kv.key + "=" + kv.value;
        return text;
    }

    /// Now and then nobody reads for a while, and now and then somebody stops waiting.
    asio::awaitable<void> rest() {
        if (random_.chance(0.05)) {
            const milliseconds pause = random_.between(0ms, 3'000ms);
            co_await stage_.sleep(pause);
        }
    }
    void impatient() {
        if (!random_.chance(0.05)) return;
        stage_.spawn(reached_.name + "'s clock", [](stage& s, looker& self, milliseconds time) -> asio::awaitable<void> {
            co_await s.sleep(time);
            if (!s.closing()) self.farewell_.emit(asio::cancellation_type::terminal);
        }(stage_, *this, random_.between(0ms, 2'000ms)));
    }

    asio::awaitable<std::optional<revision_t>> present() {
        const stage::doing now(stage_, reached_.name + " asks for the present revision");
        kv store(client_);
        range_options how;
        how.count_only = true;
        const key_range range = key_range::key(keys);
        auto token = asio::bind_cancellation_slot(farewell_.slot(), in_tuple);
        auto [ec, answer] = co_await store.range(range, how, token);
        if (!ec) co_return answer.header.revision;
        if (!stage_.closing()) co_await stage_.sleep(500ms);
        co_return std::nullopt;
    }

    /// True: it has lost its history, and begins again.
    asio::awaitable<bool> follow(watcher& w) {
        while (!stage_.closing()) {
            co_await rest();
            if (stage_.closing()) break;
            impatient();
            auto token = asio::bind_cancellation_slot(farewell_.slot(), in_tuple);
            auto [ec, batch] = co_await w.next(token);
            if (!ec) {
                reached_.revision = batch.revision;
                see({.what = batch.events.empty() ? sight::kind::bookmark : sight::kind::batch, .at = stage_.now(), .revision = batch.revision, .events = std::move(batch.events)});
                continue;
            }
            if (ec == errc::history_lost) {
                reached_.live = false;
                co_return true;
            }
            // While the password changes calls fail so, and the next ones heal: docs/security.md.
            if (ec == server_errc::auth_failed && stage_.password_is_new()) continue;
            if (ec != asio::error::operation_aborted) stage_.fault(reached_.name + ": " + ec.message());
        }
        co_return false;
    }

    void become(bool live, time_point at) {
        if (live_ == live) return;
        live_ = live;
        see({.what = live ? sight::kind::live : sight::kind::stale, .at = at});
    }
    /// What is not proven again in time is not current any more.
    void lapse(time_point at) {
        if (live_ && good_until_ < at) become(false, good_until_);
    }

    void take(mirror_step& step) {
        using kind = mirror_step::kind;
        const time_point at = stage_.now();
        lapse(at);
        switch (step.what) {
        case kind::snapshot: see({.what = sight::kind::snapshot, .at = at, .revision = step.revision, .content = std::move(step.content)}); break;
        case kind::update: see({.what = sight::kind::batch, .at = at, .revision = step.revision, .events = std::move(step.events)}); break;
        case kind::resync:
            see({.what = sight::kind::resync, .at = at, .revision = step.revision, .events = std::move(step.events), .why = step.why});
            break;
        case kind::connected:
        case kind::verified: break;
        case kind::interrupted: become(false, at); break;
        }
        if (step.what == kind::interrupted) reached_.live = false;
        if (step.what == kind::connected || step.what == kind::verified) {
            good_until_ = step.good_until;
            become(at < good_until_, at);
            reached_.live = true;
        } else if (step.what != kind::interrupted) {
            reached_.revision = step.revision;
        }
    }

    void show(const snapshot& s) {
        if (s.origin() != origin::etcd || stage_.closing()) return;
        if (shown_ == s.serial()) return;
        shown_ = s.serial();
        sight what{.what = sight::kind::snapshot, .at = stage_.now(), .revision = s.revision()};
        for (const auto& [name, value] : s.all()) {
            key_value kv;
            kv.key = "/s/" + name;
            kv.value = *value.if_string();
            what.content.push_back(std::move(kv));
        }
        reached_.revision = s.revision();
        see(std::move(what));
    }
    void show(const status& s) {
        if (stage_.closing()) return;
        reached_.live = s.state == config_state::live;
        const auto left = [&](time_point t) { return std::to_string(std::chrono::duration_cast<milliseconds>(t - stage_.now()).count()) + " ms"; };
        stage_.say([&] { return reached_.name + " is " + std::string(to_string(s.state)) + ", as of " + left(s.as_of) + ", good for " + left(s.good_until); });
        become(reached_.live, stage_.now());
    }

    stage& stage_;
    client client_;
    seeded_random random_;
    stage::progress& reached_;
    observer me_;   // goes to the record when all is seen
    asio::cancellation_signal& farewell_;
    bool live_ = false;
    time_point good_until_{};
    std::uint64_t shown_ = 0;
};

using part = asio::awaitable<void> (looker::*)();

asio::awaitable<void> look(stage& s, std::size_t c, seeded_random random, std::string name, observer::kind what, part how) {
    looker l(s, c, random, std::move(name), what);
    co_await (l.*how)();
}

}  // namespace

void begin_observers(stage& s, seeded_random& random) {
    static constexpr struct {
        const char* name;
        observer::kind what;
        part how;
    } kinds[] = {{"watch", observer::kind::watch, &looker::watch},
                 {"mirror", observer::kind::mirror, &looker::mirror_all},
                 {"manager", observer::kind::snapshots, &looker::manage}};
    const std::size_t count = 2 + random.below(3);
    for (std::size_t i = 0; i < count; ++i) {
        const auto& kind = kinds[random.below(3)];
        const std::string name = kind.name + std::string(" ") + std::to_string(i);
        s.spawn(name, look(s, random.below(s.drawn().clients), random.branch(), name, kind.what, kind.how), stage::stays::until_closing);
    }
}

}  // namespace dynconf::simulation_test
