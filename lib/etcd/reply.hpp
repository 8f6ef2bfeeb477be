#pragma once

#include <dynconf/error.hpp>

#include "transport/http_session.hpp"
#include "wire/classify.hpp"
#include "wire/decoder.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace dynconf::etcd {

/// Takes the answer of one unary call: a message, or whatever the gateway says instead.
class reply : public transport::response_sink {
public:
    /// A new try: nothing of the last one's answer counts. What is made of its text may take `most` bytes, beside its strings.
    void expect(std::size_t most) noexcept {
        most_ = most;
        refused_ = false;
    }

    void on_head(unsigned status) override {
        status_ = status;
        refusal_.clear();
        restart();
    }

    bool on_body(std::string_view piece) override {
        if (takes(status_)) {
            refused_ = !write(piece);
            return !refused_;
        }
        refusal_.append(piece.substr(0, std::min(piece.size(), most_refusal - refusal_.size())));
        return true;
    }

    /// It ended the exchange; finish() says why.
    bool refused() const noexcept { return refused_; }

    /// To be asked once the exchange is complete, or was refused.
    result<void> finish() {
        if (takes(status_)) return take();
        return wire::classify(status_, refusal_);
    }

    /// Of the cluster that has answered; 0 where the answer does not say.
    virtual std::uint64_t cluster_id() const noexcept { return 0; }

protected:
    std::size_t most() const noexcept { return most_; }
    virtual bool takes(unsigned status) const noexcept { return status == ok; }
    virtual void restart() = 0;
    virtual bool write(std::string_view piece) = 0;
    virtual result<void> take() = 0;

private:
    static constexpr unsigned ok = 200;
    static constexpr std::size_t most_refusal = 64 * 1024;

    unsigned status_ = 0;
    std::size_t most_ = transport::unlimited;
    bool refused_ = false;
    std::string refusal_;
};

template <class Message>
class message_reply final : public reply {
public:
    Message message;

    std::uint64_t cluster_id() const noexcept override {
        if constexpr (requires { message.header.cluster_id; }) return message.header.cluster_id;
        return 0;
    }

private:
    void restart() override { decoder_ = wire::decoder<Message>(wire::decoder<Message>::envelope::none, most()); }
    bool write(std::string_view piece) override { return decoder_.write(piece); }
    result<void> take() override {
        result<Message> r = decoder_.finish();
        if (!r) return r.error();
        message = std::move(*r);
        return {};
    }

    wire::decoder<Message> decoder_;
};

}  // namespace dynconf::etcd
