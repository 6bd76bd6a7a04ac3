//! scratch: draws one of each into /tmp/fig
use kindling::plot::*;
use candle_core::{Tensor, Device};
fn main() -> kindling::Result<()> {
    let f = |g: fn(f64)->f64| -> Vec<(f64,f64)> { (0..=200).map(|i| f64::from(i)*0.04-4.0).map(|x| (x, g(x))).collect() };
    Lines::new("Activation functions").axes("z", "φ(z)").series("sigmoid", f(|z| 1.0/(1.0+(-z).exp()))).series("tanh", f(f64::tanh)).series("ReLU", f(|z| z.max(0.0))).series("GELU", f(|z| 0.5*z*(1.0+(0.797_884_56*(z+0.044715*z.powi(3))).tanh()))).y_range(-1.2, 3.0).draw()?.save("/tmp/fig/lines.svg")?;
    Lines::new("Training").axes("epoch", "loss").series("training set", vec![0.35,0.15,0.1,0.07,0.05,0.04]).series("validation set", vec![0.2,0.14,0.11,0.09,0.085,0.082]).log_y().draw()?.save("/tmp/fig/loss.svg")?;
    let mut r = kindling::data::Random::new(3);
    let mut cloud = |cx: f64, cy: f64, n: usize| -> Vec<(f64,f64)> { (0..n).map(|_| (cx+r.next_normal(), cy+r.next_normal())).collect() };
    Scatter::new("Two classes").axes("feature 1", "feature 2").series("class 0", cloud(-1.0,0.0,200)).series("class 1", cloud(2.0,1.0,200)).line("boundary", &[(0.0,4.0),(1.0,-3.0)]).draw()?.save("/tmp/fig/scatter.svg")?;
    Bars::new("Softmax").axes("class", "probability").labels(["cat","dog","bird"]).series("T = 1", [0.7,0.2,0.1]).series("T = 2", [0.5,0.3,0.2]).draw()?.save("/tmp/fig/bars.svg")?;
    Contours::new("Rosenbrock's valley", -2.0..2.0, -1.0..3.0, |x, y| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)).axes("w₁","w₂").log_levels().path("gradient descent", &[(-1.5,2.0),(-1.2,1.2),(-0.8,0.5),(0.0,0.1),(0.6,0.4),(0.9,0.8)]).path("momentum, β = 0.9", &[(1.5,-0.5),(1.0,0.0),(0.5,0.5),(0.2,1.8),(0.0,4.0)]).mark("minimum",(1.0,1.0)).draw()?.save("/tmp/fig/contours.svg")?;
    Contours::new("A narrow bowl", -2.0..2.0, -1.0..1.0, |x, y| 0.5*x*x+5.0*y*y).axes("w₁","w₂").path("gradient descent", (0..30).scan((-1.8,0.9), |s,_| {let c=*s; *s=(s.0-0.18*s.0, s.1-0.18*10.0*s.1); Some(c)}).collect::<Vec<_>>()).draw()?.save("/tmp/fig/bowl.svg")?;
    let px: Vec<f32> = (0..12*28*28).map(|i| { let (n,y,x)=(i/784,(i%784)/28,i%28); let d=((x as f32-14.0).powi(2)+(y as f32-14.0).powi(2)).sqrt(); (1.0-(d-6.0-(n as f32)*0.3).abs()/2.0).max(0.0)}).collect();
    let t = Tensor::from_vec(px,(12,28,28),&Device::Cpu)?;
    let labels: Vec<String> = (0..12).map(|i| format!("3 → {} ({} %)", i%10, 90-i)).collect();
    Images::new("The worst mistakes").columns(6).tensor(&t,&labels).draw()?.save("/tmp/fig/images.svg")?;
    let rows: Vec<Vec<f64>> = (0..10).map(|i| (0..10).map(|j| if i==j {950.0+i as f64} else {((i*7+j*3)%5) as f64}).collect()).collect();
    let d: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    Heatmap::new("Confusion matrix", &rows, &d, &d).axes("predicted digit","true digit").log_color().draw()?.save("/tmp/fig/heat.svg")?;
    let words=["the","cat","sat","on","the","mat"];
    let att: Vec<Vec<f64>> = (0..6).map(|i| (0..6).map(|j| if j<=i {1.0/(i+1) as f64} else {0.0}).collect()).collect();
    Heatmap::new("Attention", &att, &words, &words).axes("key","query").draw()?.save("/tmp/fig/att.svg")?;
    Heatmap::new("Weights", &(0..30).map(|i| (0..40).map(|j| ((i*j) as f64).sin()).collect()).collect::<Vec<_>>(), &(0..40).map(|i| format!("{i}")).collect::<Vec<_>>(), &(0..30).map(|i| format!("unit {i}")).collect::<Vec<_>>()).draw()?.save("/tmp/fig/big.svg")?;
    Graph::new("The graph of one neuron").node("x1","x₁\n2.0 | 0.5").node("w1","w₁\n-3.0 | 1.0").node("x2","x₂\n0.0").node("w2","w₂\n1.0").operation("m1","×").operation("m2","×").edge("x1","m1").edge("w1","m1").edge("x2","m2").edge("w2","m2").node("p1","x₁w₁\n-6.0").node("p2","x₂w₂\n0.0").edge("m1","p1").edge("m2","p2").operation("a","+").edge("p1","a").edge("p2","a").node("b","b\n6.88").operation("a2","+").edge("a","a2").edge("b","a2").node("n","n\n0.88").edge("a2","n").operation("t","tanh").edge("n","t").node("o","o\n0.707").edge("t","o").edge("x1","o").draw()?.save("/tmp/fig/graph.svg")?;
    Ok(())
}
