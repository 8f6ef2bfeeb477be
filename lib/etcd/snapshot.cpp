#include "etcd/snapshot.hpp"

#include "etcd/snapshot_file.hpp"
#include "policy/retry.hpp"
#include "transport/offload.hpp"
#include "wire/decoder.hpp"
#include "wire/frame_splitter.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace dynconf::etcd {

namespace {

using clock = client_core::clock;

/// Written at a time: each costs a thread.
constexpr std::size_t piece_size = std::size_t{1} << 20;
constexpr unsigned most_refreshes = 3;

/// Takes the pieces out of their lines.
class snapshot_sink final : public transport::response_sink {
public:
    explicit snapshot_sink(std::size_t max_message) : splitter_(max_message), decoder_(envelope) {}

    void on_head(unsigned status) override { status_ = status; }

    bool on_body(std::string_view piece) override {
        if (status_ != 200) {
            constexpr std::size_t most_refusal = 64 * 1024;
            refusal_.append(piece.substr(0, std::min(piece.size(), most_refusal - refusal_.size())));
            return true;
        }
        while (!piece.empty()) {
            const auto part = splitter_.next(piece);
            if (splitter_.overflow()) return fail({errc::response_too_large, "a message of the snapshot"});
            decoder_.write(part.bytes);
            if (part.ends_frame && !take_message()) return false;
        }
        return true;
    }

    /// Once the answer is complete.
    result<void> finish() {
        if (why_.code) return why_;
        if (status_ != 200) return wire::classify(status_, refusal_);
        if (!splitter_.at_boundary() && !take_message()) return why_;   // an error line has no newline
        if (remaining_ != 0) return error{errc::connection_closed, "the snapshot ended half way"};
        return {};
    }

    /// It ended the exchange; finish() says why.
    bool refused() const noexcept { return why_.code.failed(); }
    std::string take() { return std::exchange(bytes_, {}); }
    std::size_t size() const noexcept { return bytes_.size(); }

private:
    static constexpr auto envelope = wire::decoder<wire::snapshot_response>::envelope::result;

    bool take_message() {
        auto message = decoder_.finish();
        if (!message) return fail(message.error());
        remaining_ = message->remaining_bytes;
        bytes_ += message->blob;
        return true;
    }

    bool fail(error why) {
        why_ = std::move(why);
        return false;
    }

    unsigned status_ = 0;
    std::string refusal_;
    wire::frame_splitter splitter_;
    wire::decoder<wire::snapshot_response> decoder_;
    std::uint64_t remaining_ = 0;
    std::string bytes_;
    error why_;
};

call snapshot_call() {
    call what{"snapshot", "/v3/maintenance/snapshot"};
    what.needs_leader = false;
    return what;
}

class transfer {
public:
    transfer(client_core& core, std::filesystem::path path, clock::time_point due)
        : core_(core), path_(std::move(path)), due_(due), disk_(core.executor()) {}

    asio::awaitable<result<dynconf::snapshot_response>> run() {
        unsigned refreshes = 0;
        for (std::size_t tries = 1;;) {
            dynconf::snapshot_response made;
            attempt at;
            auto done = co_await copy_from_one(made, at);
            if (done) co_return made;
            error why = done.error();
            if (co_await transport::was_cancelled()) co_return in_context({asio::error::operation_aborted, {}}, snapshot_call(), where(at));
            if (at.of_disk || clock::now() >= due_) co_return why;
            if (policy::token_was_refused(why.code) && core_.has_credentials()) {
                core_.token_refused(at.token);
                if (++refreshes > most_refreshes) co_return why;
            } else if (!policy::member_is_unfit(why.code) || tries++ >= core_.endpoint_count()) {
                co_return why;   // counted only now: the records may have been looked up by the first try
            }
        }
    }

private:
    struct attempt {
        std::string endpoint;
        policy::token_state::generation token = 0;
        bool of_disk = false;
    };

    std::string where(const attempt& at) const { return at.endpoint.empty() ? path_.native() : at.endpoint; }

    /// What blocks, on a thread of its own.
    template <class T>
    asio::awaitable<result<T>> on_disk(std::function<result<T>()> work) {
        std::function<clock::time_point()> limit = [due = due_] { return due; };
        co_return co_await transport::offload<T>(core_.executor(), disk_, std::move(work), std::move(limit), "the disk does not answer");
    }

    asio::awaitable<result<void>> copy_from_one(dynconf::snapshot_response& made, attempt& at) {
        at.of_disk = true;
        std::function<result<shared_file>()> create = [path = path_]() -> result<shared_file> {
            auto file = snapshot_file::create(path);
            if (!file) return file.error();
            return shared_file(std::move(*file));
        };
        auto file = co_await on_disk<shared_file>(std::move(create));
        if (!file) co_return of_disk(file.error());
        const removal at_end{**file};

        at.of_disk = false;
        snapshot_sink sink(core_.options().max_message_bytes);
        const std::string body = "{}";
        call what = snapshot_call();
        if (due_ != clock::time_point::max()) what.due = due_;
        auto opened = co_await core_.open_stream(what, body, sink);
        if (!opened) co_return opened.error();
        at.endpoint = opened->endpoint;
        at.token = opened->token;
        auto received = co_await receive(*opened, sink, *file, at);
        if (!received) {
            error why = received.error();
            core_.hide_secrets(why.detail, opened->authorization);
            co_return why;
        }
        core_.endpoint_worked(opened->index);

        at.of_disk = true;
        std::function<result<void>()> seal = [f = *file] { return f->seal(); };
        auto sealed = co_await on_disk<void>(std::move(seal));
        if (!sealed) co_return of_disk(sealed.error());
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, {}};
        // Who gave up from here on could not say whether the file is there.
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        std::function<result<void>()> publish = [f = *file] { return f->publish(); };
        auto published = co_await on_disk<void>(std::move(publish));
        if (!published) co_return of_disk(published.error());
        made.endpoint = opened->endpoint;
        made.bytes = (*file)->size();
        co_return result<void>();
    }

    using shared_file = std::shared_ptr<snapshot_file>;

    /// The thread of the last write may still hold the file for a moment, when the caller already looks for it in vain.
    struct removal {
        snapshot_file& file;
        ~removal() { file.abandon(); }
    };

    asio::awaitable<result<void>> receive(client_core::stream& from, snapshot_sink& sink, const shared_file& file, attempt& at) {
        transport::http_session& http = *from.session;
        for (bool complete = false; !complete;) {
            http.expires_at(std::min(due_, clock::now() + core_.options().request_timeout));
            auto read = co_await http.read_some();
            if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, {}};
            if (!read || sink.refused()) {
                error why = read.has_error() ? read.error() : error{};
                if (sink.refused()) why = sink.finish().error();
                co_return failed_at(from, std::move(why));
            }
            complete = *read;
            if (complete)
                if (auto end = sink.finish(); !end) co_return failed_at(from, end.error());
            if (!complete && sink.size() < piece_size) continue;
            http.no_deadline();   // the disk's time is not the member's
            at.of_disk = true;
            std::function<result<void>()> write = [file, bytes = sink.take()] { return file->write(bytes); };
            auto written = co_await on_disk<void>(std::move(write));
            if (!written) co_return of_disk(written.error());
            at.of_disk = false;
        }
        co_return result<void>();
    }

    error failed_at(const client_core::stream& from, error why) {
        why = in_context(std::move(why), snapshot_call(), from.endpoint);
        if (policy::member_is_unfit(why.code)) core_.endpoint_failed(from.index, why);
        return why;
    }

    static error of_disk(error why) {
        why.detail = why.detail.empty() ? "snapshot" : "snapshot: " + why.detail;
        return why;
    }

    client_core& core_;
    const std::filesystem::path path_;
    const clock::time_point due_;
    transport::condition disk_;
};

}  // namespace

asio::awaitable<result<dynconf::snapshot_response>> take_snapshot(client_core& core, std::filesystem::path path,
                                                                  std::optional<clock::time_point> due) {
    transfer one(core, std::move(path), due.value_or(clock::time_point::max()));
    co_return co_await one.run();
}

}  // namespace dynconf::etcd
