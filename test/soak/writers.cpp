#include "soak/writers.hpp"

#include "support/etcd_admin.hpp"

#include <chrono>
#include <exception>
#include <utility>

namespace dynconf::test {

using namespace std::chrono_literals;

namespace {

constexpr int keys_each = 12;

std::string key(std::mt19937_64& random, const char* prefix) { return prefix + std::to_string(random() % keys_each); }

}  // namespace

void execute(const etcd_process& member, written& w) {
    std::vector<std::pair<std::string, std::string>> puts{{"soak/aa", w.value}, {"z", w.value}};
    for (const std::string& k : w.puts) puts.emplace_back(k, w.value);
    // Shorter than etcd's own limit: an outcome may be unknown, a thread should not hang.
    w.revision = etcd_admin(member, 2s).change_all(puts, {w.deletes.begin(), w.deletes.end()});
    w.answered = std::chrono::steady_clock::now();
}

soak_writers::soak_writers(etcd_cluster& cluster, unsigned threads, std::uint64_t seed) : cluster_(cluster) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this, i, seed] { run(i, seed + i); });
}

void soak_writers::stop() {
    stop_ = true;
    for (std::thread& t : threads_)
        if (t.joinable()) t.join();
}

std::vector<written> soak_writers::take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(ended_, {});
}

written soak_writers::compose(std::mt19937_64& random, std::string value) {
    written w;
    w.value = std::move(value);
    const auto puts = 2 + random() % 8;
    while (w.puts.size() < puts) w.puts.insert(key(random, random() % 2 == 0 ? "soak/a/" : "soak/b/"));
    for (auto deletes = random() % 3; deletes > 0; --deletes)
        if (std::string k = key(random, "soak/a/"); !w.puts.contains(k)) w.deletes.insert(std::move(k));
    return w;
}

void soak_writers::run(unsigned number, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::size_t member = number % cluster_.size();
    for (std::uint64_t n = 0; !stop_; ++n) {
        written w = compose(random, "w" + std::to_string(number) + "-" + std::to_string(n));
        bool known = true;
        try {
            execute(cluster_[member], w);
        } catch (const std::exception&) {
            known = false;
            member = (member + 1) % cluster_.size();
        }
        if (known) {
            std::int64_t seen = revision_;
            while (seen < *w.revision && !revision_.compare_exchange_weak(seen, *w.revision)) {}
        }
        {
            const std::lock_guard lock(mutex_);
            ended_.push_back(std::move(w));
        }
        std::this_thread::sleep_for(known ? 3ms : 50ms);   // as much as one machine can judge
    }
}

}  // namespace dynconf::test
