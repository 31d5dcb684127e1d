/* Prints the size of every struct and the place of every member, to be held against abi/layout.txt, and holds the sizes against the
   library's own. */
#include <deltarule.h>
#include <stdio.h>
#include <stdlib.h>

static int faults;

static void size(const char *name, size_t ours, int32_t which) {
    printf("%s %zu\n", name, ours);
    if (which >= 0 && deltarule_abi_size(which) != ours) {
        fprintf(stderr, "%s: the header has %zu bytes, the library %zu\n", name, ours, deltarule_abi_size(which));
        faults++;
    }
}

#define SIZE(type, which) size(#type, sizeof(type), which)
#define PLACE(type, member) printf("%s.%s %zu\n", #type, #member, offsetof(type, member))

int main(void) {
    SIZE(deltarule_build, DELTARULE_STRUCT_BUILD);
    PLACE(deltarule_build, size);
    PLACE(deltarule_build, version);
    PLACE(deltarule_build, isa);
    PLACE(deltarule_build, gemm);
    PLACE(deltarule_build, cores);
    PLACE(deltarule_build, abi_version);
    PLACE(deltarule_build, objects);
    SIZE(deltarule_threads, -1);
    PLACE(deltarule_threads, id);
    SIZE(deltarule_layer, DELTARULE_STRUCT_LAYER);
    PLACE(deltarule_layer, units);
    PLACE(deltarule_layer, activation);
    PLACE(deltarule_layer, norm);
    PLACE(deltarule_layer, bias);
    SIZE(deltarule_network, -1);
    PLACE(deltarule_network, id);
    SIZE(deltarule_network_sizes, DELTARULE_STRUCT_NETWORK_SIZES);
    PLACE(deltarule_network_sizes, size);
    PLACE(deltarule_network_sizes, inputs);
    PLACE(deltarule_network_sizes, outputs);
    PLACE(deltarule_network_sizes, layers);
    PLACE(deltarule_network_sizes, parameters);
    PLACE(deltarule_network_sizes, state);
    PLACE(deltarule_network_sizes, dtype);
    PLACE(deltarule_network_sizes, reserved);
    SIZE(deltarule_layer_place, DELTARULE_STRUCT_LAYER_PLACE);
    PLACE(deltarule_layer_place, size);
    PLACE(deltarule_layer_place, inputs);
    PLACE(deltarule_layer_place, outputs);
    PLACE(deltarule_layer_place, weights);
    PLACE(deltarule_layer_place, bias);
    PLACE(deltarule_layer_place, bias_length);
    PLACE(deltarule_layer_place, scale);
    PLACE(deltarule_layer_place, shift);
    PLACE(deltarule_layer_place, norm_length);
    SIZE(deltarule_predictor, -1);
    PLACE(deltarule_predictor, id);
    SIZE(deltarule_workspace, -1);
    PLACE(deltarule_workspace, id);
    SIZE(deltarule_batch_f32, DELTARULE_STRUCT_BATCH_F32);
    PLACE(deltarule_batch_f32, rows);
    PLACE(deltarule_batch_f32, x);
    PLACE(deltarule_batch_f32, inputs);
    PLACE(deltarule_batch_f32, x_stride);
    PLACE(deltarule_batch_f32, y);
    PLACE(deltarule_batch_f32, outputs);
    PLACE(deltarule_batch_f32, y_stride);
    PLACE(deltarule_batch_f32, weights);
    SIZE(deltarule_value, DELTARULE_STRUCT_VALUE);
    PLACE(deltarule_value, loss);
    PLACE(deltarule_value, penalty);
    SIZE(deltarule_batch_f64, DELTARULE_STRUCT_BATCH_F64);
    PLACE(deltarule_batch_f64, rows);
    PLACE(deltarule_batch_f64, x);
    PLACE(deltarule_batch_f64, inputs);
    PLACE(deltarule_batch_f64, x_stride);
    PLACE(deltarule_batch_f64, y);
    PLACE(deltarule_batch_f64, outputs);
    PLACE(deltarule_batch_f64, y_stride);
    PLACE(deltarule_batch_f64, weights);
    SIZE(deltarule_epoch, DELTARULE_STRUCT_EPOCH);
    PLACE(deltarule_epoch, size);
    PLACE(deltarule_epoch, number);
    PLACE(deltarule_epoch, training_loss);
    PLACE(deltarule_epoch, validation_loss);
    PLACE(deltarule_epoch, learning_rate);
    SIZE(deltarule_train_options, DELTARULE_STRUCT_TRAIN_OPTIONS);
    PLACE(deltarule_train_options, size);
    PLACE(deltarule_train_options, loss);
    PLACE(deltarule_train_options, solver);
    PLACE(deltarule_train_options, schedule);
    PLACE(deltarule_train_options, gemm);
    PLACE(deltarule_train_options, learning_rate);
    PLACE(deltarule_train_options, l1);
    PLACE(deltarule_train_options, l2);
    PLACE(deltarule_train_options, epochs);
    PLACE(deltarule_train_options, batch);
    PLACE(deltarule_train_options, shuffle);
    PLACE(deltarule_train_options, reserved);
    PLACE(deltarule_train_options, seed);
    PLACE(deltarule_train_options, validation_share);
    PLACE(deltarule_train_options, patience);
    PLACE(deltarule_train_options, tolerance);
    PLACE(deltarule_train_options, target_loss);
    PLACE(deltarule_train_options, time_limit);
    PLACE(deltarule_train_options, warm_up);
    PLACE(deltarule_train_options, clip_norm);
    PLACE(deltarule_train_options, max_norm);
    PLACE(deltarule_train_options, dropout);
    PLACE(deltarule_train_options, input_dropout);
    PLACE(deltarule_train_options, input_noise);
    PLACE(deltarule_train_options, average_decay);
    PLACE(deltarule_train_options, watch_gradients);
    PLACE(deltarule_train_options, threads);
    PLACE(deltarule_train_options, on_epoch);
    PLACE(deltarule_train_options, user);
    SIZE(deltarule_history, DELTARULE_STRUCT_HISTORY);
    PLACE(deltarule_history, size);
    PLACE(deltarule_history, epochs);
    PLACE(deltarule_history, kept);
    PLACE(deltarule_history, training_loss);
    PLACE(deltarule_history, validation_loss);
    PLACE(deltarule_history, stopped);
    PLACE(deltarule_history, reserved);
    SIZE(deltarule_model, -1);
    PLACE(deltarule_model, id);
    SIZE(deltarule_model_facts, DELTARULE_STRUCT_MODEL_FACTS);
    PLACE(deltarule_model_facts, size);
    PLACE(deltarule_model_facts, columns);
    PLACE(deltarule_model_facts, values);
    PLACE(deltarule_model_facts, trained_rows);
    PLACE(deltarule_model_facts, task);
    PLACE(deltarule_model_facts, has_probabilities);
    PLACE(deltarule_model_facts, takes_numbers);
    PLACE(deltarule_model_facts, dtype);
    SIZE(deltarule_gradcheck_options, DELTARULE_STRUCT_GRADCHECK_OPTIONS);
    PLACE(deltarule_gradcheck_options, size);
    PLACE(deltarule_gradcheck_options, tolerance);
    PLACE(deltarule_gradcheck_options, negligible);
    PLACE(deltarule_gradcheck_options, absolute);
    PLACE(deltarule_gradcheck_options, sample);
    PLACE(deltarule_gradcheck_options, directions);
    PLACE(deltarule_gradcheck_options, seed);
    SIZE(deltarule_gradcheck_report, DELTARULE_STRUCT_GRADCHECK_REPORT);
    PLACE(deltarule_gradcheck_report, size);
    PLACE(deltarule_gradcheck_report, verdict);
    PLACE(deltarule_gradcheck_report, reserved);
    PLACE(deltarule_gradcheck_report, checked);
    PLACE(deltarule_gradcheck_report, verified);
    PLACE(deltarule_gradcheck_report, kinks);
    PLACE(deltarule_gradcheck_report, inconclusive);
    PLACE(deltarule_gradcheck_report, wrong);
    PLACE(deltarule_gradcheck_report, worst_index);
    PLACE(deltarule_gradcheck_report, worst_analytic);
    PLACE(deltarule_gradcheck_report, worst_numeric);
    PLACE(deltarule_gradcheck_report, worst_error);
    PLACE(deltarule_gradcheck_report, worst_estimate);
    PLACE(deltarule_gradcheck_report, floor);
    return faults == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
