// Trains a classifier of iris flowers, saves it, opens the file, and asks it from several threads at once.
//
//     c++ -std=c++17 flowers.cpp $(pkg-config --cflags --libs deltarule) -pthread -o flowers && ./flowers
//
// Everything is held against what it must be; the program fails where it is not.
#include <deltarule.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

void require(deltarule_status status) {
    if (status != DELTARULE_STATUS_OK) {
        throw std::runtime_error(std::string(deltarule_status_name(status)) + ": " + deltarule_last_error());
    }
}

void expect(bool condition, const char *what) {
    if (!condition) {
        throw std::runtime_error(std::string("not as it must be: ") + what);
    }
}

// A handle that is freed where its owner ends.
template <typename Handle, deltarule_status (*Free)(Handle)>
class Owned {
  public:
    Owned() = default;
    Owned(const Owned &) = delete;
    Owned &operator=(const Owned &) = delete;
    Owned(Owned &&other) noexcept : handle(std::exchange(other.handle, Handle{})) {}
    ~Owned() {
        if (handle.id != 0) {
            Free(handle);
        }
    }
    Handle *operator&() { return &handle; }
    operator Handle() const { return handle; }

  private:
    Handle handle{};
};

using Network = Owned<deltarule_network, deltarule_network_free>;
using Model = Owned<deltarule_model, deltarule_model_free>;

// R. A. Fisher's measurements (1936), ten flowers of each kind: sepal length and width, petal length and width, in cm.
constexpr std::size_t rows = 30, inputs = 4, kinds = 3;
constexpr std::array<float, rows * inputs> measured = {
    5.1f, 3.5f, 1.4f, 0.2f, 4.9f, 3.0f, 1.4f, 0.2f, 4.7f, 3.2f, 1.3f, 0.2f, 4.6f, 3.1f, 1.5f, 0.2f, 5.0f, 3.6f, 1.4f, 0.2f,
    5.4f, 3.9f, 1.7f, 0.4f, 4.6f, 3.4f, 1.4f, 0.3f, 5.0f, 3.4f, 1.5f, 0.2f, 4.4f, 2.9f, 1.4f, 0.2f, 4.9f, 3.1f, 1.5f, 0.1f,
    7.0f, 3.2f, 4.7f, 1.4f, 6.4f, 3.2f, 4.5f, 1.5f, 6.9f, 3.1f, 4.9f, 1.5f, 5.5f, 2.3f, 4.0f, 1.3f, 6.5f, 2.8f, 4.6f, 1.5f,
    5.7f, 2.8f, 4.5f, 1.3f, 6.3f, 3.3f, 4.7f, 1.6f, 4.9f, 2.4f, 3.3f, 1.0f, 6.6f, 2.9f, 4.6f, 1.3f, 5.2f, 2.7f, 3.9f, 1.4f,
    6.3f, 3.3f, 6.0f, 2.5f, 5.8f, 2.7f, 5.1f, 1.9f, 7.1f, 3.0f, 5.9f, 2.1f, 6.3f, 2.9f, 5.6f, 1.8f, 6.5f, 3.0f, 5.8f, 2.2f,
    7.6f, 3.0f, 6.6f, 2.1f, 4.9f, 2.5f, 4.5f, 1.7f, 7.3f, 2.9f, 6.3f, 1.8f, 6.7f, 2.5f, 5.8f, 1.8f, 7.2f, 3.6f, 6.1f, 2.5f};

// Counts epochs, and ends the training once the loss is small.
std::int32_t watch(const deltarule_epoch *epoch, void *user) {
    auto &epochs = *static_cast<std::size_t *>(user);
    epochs = epoch->number;
    return epoch->training_loss < 0.02 ? 1 : 0;
}

Network train(std::size_t &epochs, deltarule_history &history) {
    std::vector<float> targets(rows * kinds);
    for (std::size_t row = 0; row < rows; ++row) {
        targets[row * kinds + row / 10] = 1;
    }
    const std::array<deltarule_layer, 2> layers = {{{8, "tanh", nullptr, 1}, {kinds, "softmax", nullptr, 1}}};
    Network network;
    require(deltarule_network_new(inputs, layers.data(), layers.size(), DELTARULE_TYPE_F32, nullptr, 1, &network));

    deltarule_train_options options;
    require(deltarule_train_options_init(&options, sizeof options));
    options.loss = "softmax_cross_entropy";
    options.solver = "adam:beta1=0.9";
    options.learning_rate = 0.02;
    options.epochs = 3000;
    options.batch = 10;
    options.patience = 0;
    options.on_epoch = watch;
    options.user = &epochs;
    const deltarule_batch_f32 batch = {rows, measured.data(), inputs, inputs, targets.data(), kinds, kinds, nullptr};
    require(deltarule_train_f32(network, &batch, nullptr, &options, &history));
    return network;
}

void run(const std::string &path) {
    std::size_t epochs = 0;
    deltarule_history history{};
    history.size = sizeof history;
    const Network network = train(epochs, history);
    std::printf("loss %.4f after %zu epochs\n", history.training_loss, history.epochs);
    expect(history.stopped == DELTARULE_STOPPED_CALLBACK && epochs == history.epochs, "the callback ended the training");

    require(deltarule_network_save(network, "softmax_cross_entropy", path.c_str(), 1));
    Model model;
    require(deltarule_model_open(path.c_str(), &model));
    deltarule_model_facts facts{};
    facts.size = sizeof facts;
    require(deltarule_model_describe(model, &facts));
    expect(facts.task == DELTARULE_TASK_CLASSES && facts.columns == inputs && facts.values == kinds, "the model's facts");

    // Four threads on one handle: all say the same.
    std::array<std::vector<std::size_t>, 4> said;
    std::vector<std::thread> threads;
    for (auto &classes : said) {
        classes.resize(rows);
        threads.emplace_back([&model, &classes] {
            for (int i = 0; i < 20; ++i) {
                require(deltarule_model_classify_f32(model, rows, measured.data(), inputs, inputs, classes.data()));
            }
        });
    }
    for (auto &thread : threads) {
        thread.join();
    }
    std::size_t correct = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        correct += said[0][row] == row / 10;
    }
    std::printf("%zu of %zu flowers are of their kind\n", correct, rows);
    expect(correct >= 29, "the classes");
    expect(said[0] == said[1] && said[1] == said[2] && said[2] == said[3], "all threads say the same");

    std::array<float, kinds> probabilities{};
    require(deltarule_model_predict_f32(model, 1, measured.data(), inputs, inputs, probabilities.data(), kinds, kinds));
    expect(probabilities[0] > 0.9f, "a probability");

    // An error is a number and a sentence.
    const deltarule_status status = deltarule_model_open("no such file", &model);
    expect(status == DELTARULE_STATUS_IO, "a file that is not there");
    std::printf("as it should be: %s\n", deltarule_last_error());
}

}  // namespace

int main(int count, char **arguments) {
    try {
        run(count > 1 ? arguments[1] : "flowers.model");
        std::puts("all as it must be");
        return EXIT_SUCCESS;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return EXIT_FAILURE;
    }
}
