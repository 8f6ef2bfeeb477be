#pragma once

#include <chrono>
#include <cstdint>

namespace dynconf::policy {

/// How long content may still be called current.
class freshness {
public:
    using time_point = std::chrono::steady_clock::time_point;

    explicit freshness(std::chrono::milliseconds max_staleness) noexcept : max_(max_staleness) {}

    /// The content held everything that etcd had executed at `as_of`.
    void proven(time_point as_of) noexcept {
        if (!ever_ || as_of > as_of_) as_of_ = as_of;
        ever_ = true;
    }
    /// The proof was of another store.
    void forget() noexcept { ever_ = false; }

    time_point as_of() const noexcept { return as_of_; }
    /// Not current any more by then; the epoch without a proof.
    time_point good_until() const noexcept { return ever_ ? as_of_ + max_ : time_point{}; }
    /// When to say so, a little earlier: the bound must not pass before the words are out.
    time_point deadline() const noexcept { return ever_ ? as_of_ + max_ - max_ / 20 : time_point::min(); }
    bool holds(time_point now) const noexcept { return now < deadline(); }

private:
    std::chrono::milliseconds max_;
    time_point as_of_{};
    bool ever_ = false;
};

/// The store has changed what a watch covers, and the watch has not said so. It may be on its way; it may have been lost.
class catch_up {
public:
    using time_point = std::chrono::steady_clock::time_point;
    enum class action : std::uint8_t {
        wait,             ///< Look again at look_at().
        replace_stream,   ///< Another stream, from the same revision, has to deliver it: ask for one, say so by asked(), then look again.
        reload,           ///< That did not help.
    };

    /// Another stream after `patience`. Long after that a reload: a slow network must not be taken for a loss.
    catch_up(std::chrono::milliseconds patience, std::chrono::milliseconds last_resort) noexcept
        : patience_(patience), last_resort_(last_resort) {}

    bool under_way() const noexcept { return step_ != idle; }
    time_point look_at() const noexcept { return under_way() ? look_at_ : time_point::max(); }

    /// A look at `now` found a difference.
    action differs(time_point now) noexcept {
        if (step_ == idle) {
            begin(waiting, now);
        } else if (step_ == waiting && now - since_ >= patience_) {
            return action::replace_stream;
        } else if (step_ == replaced && now - since_ >= last_resort_) {
            step_ = idle;
            return action::reload;
        }
        pause_ = pause_ * 2 < patience_ / 2 ? pause_ * 2 : patience_ / 2;
        look_at_ = now + pause_;
        looked_at_ = now;
        return action::wait;
    }
    /// A look was not answered by `now`. Such time speaks for another stream, but not against that one, which can bring no more than
    /// an answer could; so that never ends in a reload.
    action unanswered(time_point now) noexcept {
        if (step_ == replaced) since_ += now - looked_at_;
        return differs(now);
    }
    /// After replace_stream: the last time that anybody did not trust the stream was `last`. It is shared, so where that was while this
    /// waited, the stream is another one for this, too; else the stream is too young, and has to be waited for.
    void asked(time_point last, time_point now) noexcept {
        if (last >= since_) {
            begin(replaced, now);
            since_ = last;
        } else {
            begin(waiting, now);
        }
    }
    /// A look found none.
    void equal() noexcept { step_ = idle; }

private:
    enum step : std::uint8_t { idle, waiting, replaced };

    void begin(step s, time_point now) noexcept {
        step_ = s;
        since_ = now;
        pause_ = std::chrono::milliseconds(10);
        look_at_ = now + pause_;
        looked_at_ = now;
    }

    std::chrono::milliseconds patience_;
    std::chrono::milliseconds last_resort_;
    step step_ = idle;
    time_point since_{};
    time_point look_at_{};     // the next look
    time_point looked_at_{};   // the end of the last
    std::chrono::milliseconds pause_{0};
};

}  // namespace dynconf::policy
