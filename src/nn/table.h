/* Every module: one row each, by family. Canonical name (rill_module_type is its last part), aliases and
 * deprecated names (space-separated), constructor, its parameters (the context comes before them), can it
 * stream, doc. Expanded by table.c. */

/* layers */
MODULE("nn.Linear", "", "", "rill_nn_linear", "in: int, out: int, bias: bool = True", true,
       "torch.nn.Linear: input times weight transposed, plus bias")
MODULE("nn.Embedding", "", "", "rill_nn_embedding",
       "count: int, width: int, padding_idx: int = -9223372036854775808", true,
       "torch.nn.Embedding: the rows of a table picked by index")
MODULE("nn.LayerNorm", "", "", "rill_nn_layer_norm",
       "width: int, eps: float = 1e-05, bias: bool = True", true,
       "torch.nn.LayerNorm over the last dim")
MODULE("nn.RMSNorm", "", "", "rill_nn_rms_norm", "width: int, eps: float = 0", true,
       "torch.nn.RMSNorm over the last dim; eps 0 is the dtype's epsilon")
MODULE("nn.Dropout", "", "", "rill_nn_dropout", "p: float = 0.5", true,
       "torch.nn.Dropout: in eval mode the input itself")

/* activations */
MODULE("nn.ReLU", "", "", "rill_nn_relu", "", true, "torch.nn.ReLU")
MODULE("nn.GELU", "", "", "rill_nn_gelu", "approximate: bool = False", true,
       "torch.nn.GELU, by erf or approximate by tanh")
MODULE("nn.SiLU", "nn.Swish", "", "rill_nn_silu", "", true, "torch.nn.SiLU")
MODULE("nn.Sigmoid", "", "", "rill_nn_sigmoid", "", true, "torch.nn.Sigmoid")
MODULE("nn.Tanh", "", "", "rill_nn_tanh", "", true, "torch.nn.Tanh")
MODULE("nn.Softplus", "", "", "rill_nn_softplus", "beta: float = 1, threshold: float = 20", true,
       "torch.nn.Softplus")
MODULE("nn.Softmax", "", "", "rill_nn_softmax", "dim: int = -1", true,
       "torch.nn.Softmax; over the time dim it does not stream")
MODULE("nn.LogSoftmax", "", "", "rill_nn_log_softmax", "dim: int = -1", true,
       "torch.nn.LogSoftmax; over the time dim it does not stream")

/* any op (src/ffi/op_module.c) */
MODULE("nn.Op", "", "", "rill_nn_op", "name: str, args: Value[], output: int = 0", true,
       "an op by name and the rest of its arguments; streams where it is element-wise")

/* containers */
MODULE("nn.Sequential", "", "", "rill_nn_sequential", "modules: Module[]", true,
       "torch.nn.Sequential: each module in turn; streams where its children do")
MODULE("nn.Residual", "", "", "rill_nn_residual", "inner: Module", true,
       "input + inner(input); streams where inner does")
MODULE("nn.ModuleList", "", "", "rill_nn_module_list", "modules: Module[]", false,
       "torch.nn.ModuleList: holds modules, without a forward")

/* sequence layers (src/sequence/) */
MODULE("nn.Attention", "", "", "rill_nn_attention",
       "width: int, heads: int, kv_heads: int = 0, window: int = 0, non_causal: bool = False, "
       "bias: bool = False, "
       "no_rope: bool = False, rope_interleaved: bool = False, rope_base: float = 0, alibi: bool = "
       "False, "
       "softcap: float = 0, dropout: float = 0",
       true,
       "multi-head self-attention with rotary positions and grouped queries; does not stream where "
       "non_causal")
MODULE("nn.Mamba", "", "", "rill_nn_mamba",
       "width: int, state: int = 16, conv: int = 4, expand: int = 2, dt_rank: int = 0, bias: bool "
       "= False, "
       "no_conv_bias: bool = False",
       true, "the Mamba block (Gu and Dao 2023)")
MODULE("nn.WindowMax", "", "", "rill_nn_window_max",
       "window: int, dim: int[] = [], stride: int = 1, dilation: int = 1, mode: int = 0, edge: int "
       "= 0, "
       "pad: float = 0, nan: int = 0, last: bool = False",
       true, "the largest of each sliding window; streams along time where causal")
MODULE("nn.WindowMin", "", "", "rill_nn_window_min",
       "window: int, dim: int[] = [], stride: int = 1, dilation: int = 1, mode: int = 0, edge: int "
       "= 0, "
       "pad: float = 0, nan: int = 0, last: bool = False",
       true, "the smallest of each sliding window; streams along time where causal")
